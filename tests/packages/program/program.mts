// program.mjs for TypeScript, with the package's declarations.
import { Hearth, HearthError, type LuaValue } from "hearth-lua";
import cu from "hearth-lua/cu";

const hearth: Hearth = await Hearth.open({ store: "file:world.hearth" });
const [visits]: LuaValue[] = hearth.run("_home.visits = (_home.visits or 0) + 1 return _home.visits");
try {
  await hearth.commit({ durability: "durable" });
} catch (error) {
  if (error instanceof HearthError) console.log(error.code, error.message);
}
await hearth.close();
const saved: boolean = await cu.saveState();
console.log(visits, saved);
