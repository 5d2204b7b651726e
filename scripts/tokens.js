// Compiles every .sol file of a folder and writes, or with --check compares, the artefacts beside it.
// Called by scripts/tokens, which provides the compiler.
"use strict";
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const [folder, mode] = process.argv.slice(2);
const sources = fs.readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const output = JSON.parse(solc.compile(JSON.stringify({
  language: "Solidity",
  sources: Object.fromEntries(sources.map((name) => [
    name, { content: fs.readFileSync(path.join(folder, name), "utf8") }])),
  settings: {
    evmVersion: "paris",
    optimizer: { enabled: true, runs: 200 },
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.methodIdentifiers"] } },
  },
})));

// Mischief uses SELFDESTRUCT on purpose.
const complaints = (output.errors || []).filter((e) => !/selfdestruct/.test(e.message));
complaints.forEach((e) => console.error(e.formattedMessage));
if (complaints.length > 0) process.exit(1);

const { keccak256 } = require("js-sha3");
const signature = (entry) => `${entry.name}(${entry.inputs.map((i) => i.type).join(",")})`;

/** The ABI as lines to read: selector or topic, then the signature. */
function describe(contract) {
  const functions = contract.abi.filter((e) => e.type === "function")
    .map((e) => `0x${contract.evm.methodIdentifiers[signature(e)]} ${e.stateMutability.padEnd(10)} ${signature(e)}`
      + (e.outputs.length ? ` -> ${e.outputs.map((o) => o.type).join(",")}` : ""));
  const events = contract.abi.filter((e) => e.type === "event")
    .map((e) => `0x${keccak256(signature(e))} event ${e.name}(`
      + e.inputs.map((i) => `${i.type}${i.indexed ? " indexed" : ""} ${i.name}`).join(", ") + ")");
  return [...functions.sort(), ...events.sort(), ""].join("\n");
}

let stale = 0;
function artefact(name, content) {
  const file = path.join(folder, name);
  if (mode !== "--check") return fs.writeFileSync(file, content);
  if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== content) {
    console.error(`tokens: ${name} is not what its source gives; run scripts/tokens`);
    stale += 1;
  }
}

for (const source of sources) {
  for (const [name, contract] of Object.entries(output.contracts[source])) {
    const isInterface = contract.evm.bytecode.object === "";
    const isInner = ["Destruct", "Purse"].includes(name); // deployed by Mischief only
    if (isInterface || isInner) continue;
    artefact(`${name}.bin`, contract.evm.bytecode.object + "\n");
    artefact(`${name}.abi.txt`, describe(contract));
  }
}
process.exit(stale ? 1 : 0);
