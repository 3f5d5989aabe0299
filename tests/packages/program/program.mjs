// program.mjs STORE: what program.c does, by the npm package.
import { Hearth } from "hearth-lua";

console.log(`Hearth ${Hearth.version}`);
const hearth = await Hearth.open({ store: process.argv[2] });
hearth.run("_home.visits = (_home.visits or 0) + 1 print('visit ' .. _home.visits)");
await hearth.commit();
await hearth.close();
