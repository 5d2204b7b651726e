// Watches an Ethereum node over WebSocket as a gateway's own code would, with viem: in memory, believing
// the node. Started with the node's URL and a token; reads accounts from its input, one a line, then says
// "ready", and on each payment to one of them "usdt HASH" or "ether HASH".
import { createInterface } from "node:readline";
import { createPublicClient, parseAbiItem, webSocket } from "viem";

const [url, token] = process.argv.slice(2);
const watched = new Set();
for await (const account of createInterface({ input: process.stdin })) watched.add(account.toLowerCase());

const isWatched = (account) => account != null && watched.has(account.toLowerCase());
const say = (text) => process.stdout.write(`${text}\n`);
const fail = (error) => {
  console.error(error);
  process.exit(1);
};

const client = createPublicClient({ transport: webSocket(url) });
client.watchBlocks({
  includeTransactions: true,
  onBlock: (block) => {
    const paying = block.transactions.filter(({ to, value }) => value > 0n && isWatched(to));
    for (const { hash } of paying) say(`ether ${hash}`);
  },
  onError: fail,
});
client.watchEvent({
  address: token,
  event: parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)"),
  onLogs: (logs) => {
    const paying = logs.filter(({ args }) => isWatched(args.to));
    for (const { transactionHash } of paying) say(`usdt ${transactionHash}`);
  },
  onError: fail,
});
// Both subscriptions were sent before this.
await client.getBlockNumber();
say("ready");
