// program.cjs STORE: what program.mjs does, as a CommonJS module, which has import() for modules of the newer kind.
async function main() {
  const { Hearth } = await import("hearth-lua");
  console.log(`Hearth ${Hearth.version}`);
  const hearth = await Hearth.open({ store: process.argv[2] });
  hearth.run("_home.visits = (_home.visits or 0) + 1 print('visit ' .. _home.visits)");
  await hearth.commit();
  await hearth.close();
}

main();
