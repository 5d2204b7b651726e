// Watches an Ethereum node over WebSocket as a gateway's own code would, with viem: in memory, believing
// the node. Started with the node's URL, a token, and how: by "blocks" with their transactions, in which it reads ether
// and calls of the token, or by the token's "logs" alone, as the node pushes them. Reads accounts from its input, one a
// line, then says "ready", and on each payment to one of them "usdt HASH" or "ether HASH".
import { createInterface } from "node:readline";
import { createPublicClient, decodeFunctionData, parseAbi, webSocket } from "viem";

const [url, token, how] = process.argv.slice(2);
const watched = new Set();
for await (const account of createInterface({ input: process.stdin })) watched.add(account.toLowerCase());

const abi = parseAbi([
  "function transfer(address to, uint256 value)",
  "event Transfer(address indexed from, address indexed to, uint256 value)",
]);
const isWatched = (account) => account != null && watched.has(account.toLowerCase());
const say = (text) => process.stdout.write(`${text}\n`);
const onError = (error) => {
  console.error(error);
  process.exit(1);
};

const receiver = (input) => {
  try {
    return decodeFunctionData({ abi, data: input }).args[0];
  } catch {
    return null; // another function
  }
};
const inBlock = ({ transactions }) => {
  for (const { hash, to, value, input } of transactions) {
    if (value > 0n && isWatched(to)) say(`ether ${hash}`);
    if (to?.toLowerCase() === token.toLowerCase() && isWatched(receiver(input))) say(`usdt ${hash}`);
  }
};
const inLogs = (logs) => {
  for (const { args, transactionHash } of logs) if (isWatched(args.to)) say(`usdt ${transactionHash}`);
};

const client = createPublicClient({ transport: webSocket(url) });
if (how === "blocks") client.watchBlocks({ includeTransactions: true, onBlock: inBlock, onError });
else client.watchContractEvent({ address: token, abi, eventName: "Transfer", onLogs: inLogs, onError });
// The subscription was sent before this.
await client.getBlockNumber();
say("ready");
