/** Programs that show what Hearth is about. */
import classes from "./samples/class.lua";
import closures from "./samples/closures.lua";
import coroutine from "./samples/coroutine.lua";
import counter from "./samples/counter.lua";
import cycle from "./samples/cycle.lua";
import external from "./samples/external.lua";

export const samples = [
  { name: "A counter", code: counter },
  { name: "A class and its objects", code: classes },
  { name: "Closures that share a variable", code: closures },
  { name: "Cycles", code: cycle },
  { name: "An external table", code: external },
  { name: "What cannot be stored", code: coroutine },
];
