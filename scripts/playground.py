"""The playground's conversation with its two nodes; called by scripts/playground. Standard library only.

The first argument is the playground's folder, the second what to do. What `set-up` found out (ports, contract
addresses) lies in state.json there.
"""

import base64
import inspect
import json
import pathlib
import secrets
import socket
import sqlite3
import sys
import time
import urllib.error
import urllib.request

FOLDER = pathlib.Path(sys.argv[1])
STATE_FILE = FOLDER / "state.json"
TOKENS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "tokens"
WALLET = "playground"
START_LIMIT_S = 60
SUPPLY = 10**15  # a thousand million, with six decimals

CONFIG = """\
# Written by scripts/playground. Depths are small, so that few blocks have to be mined.
[database]
path = "{folder}/data/confirmd.db"
inbox = "{folder}/inbox/inbox.db"

[http]
listen = "127.0.0.1:{http_port}"

[chains.bitcoin]
kind = "bitcoin"
network = "regtest"
rpc_url = "http://127.0.0.1:{bitcoin_port}"
cookie_file = "{folder}/bitcoin/regtest/.cookie"
poll_interval = "500ms"
final_depth = 6

[chains.ethereum]
kind = "ethereum"
chain_id = 31337
poll_interval = "500ms"
[[chains.ethereum.endpoints]]
name = "playground"
url = "http://127.0.0.1:{ethereum_port}"

[assets.BTC]
chain = "bitcoin"
confirmations = 2

[assets.ETH]
chain = "ethereum"
confirmations = 3

[assets.USDT]
chain = "ethereum"
contract = "{USDT}"
decimals = 6
confirmations = 2

[assets.USDC]
chain = "ethereum"
contract = "{USDC}"
decimals = 6
confirmations = 2
"""

GUIDE = """
confirmd follows a private Bitcoin and a private Ethereum chain. In a second terminal:

  scripts/playground order BTC 0.015 order-1         ask for 0.015 BTC
  scripts/playground pay order-1                     pay it: pending
  scripts/playground mine bitcoin 2                  two confirmations: paid
  scripts/playground confirmd payment explain order-1

  scripts/playground order USDT 25 order-2           ask for 25 USDT
  scripts/playground pay order-2 20 && scripts/playground mine ethereum 2
  scripts/playground confirmd payment explain order-2      too little
  scripts/playground pay order-2 25 && scripts/playground mine ethereum 2

  scripts/playground reorg bitcoin 2                 what was paid is taken back
  scripts/playground events                          all of it, as a gateway reads it

  curl http://127.0.0.1:{http_port}/readyz           and /livez, /metrics
  scripts/playground help                            the rest

Logs and databases: {folder}
Ctrl-C ends and removes everything."""


class Refused(Exception):
    """Something that the person at the terminal should read."""


def call(url, method, *params, cookie=None):
    """One JSON-RPC call; its result."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    if cookie is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(cookie.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=START_LIMIT_S) as answer:
            document = json.load(answer)
    except urllib.error.HTTPError as error:  # bitcoind reports its own errors with status 500
        document = json.loads(error.read() or b'{"error": {"message": "the node refuses"}}')
    if document.get("error"):
        raise Refused(f"{method}: {document['error']['message']}")
    return document["result"]


def wait_until(what, look):
    """Asks until there is an answer."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            found = look()
            if found:
                return found
        except (OSError, ValueError, Refused):
            pass
        if time.monotonic() > deadline:
            raise Refused(f"waited {START_LIMIT_S} s in vain for {what}")
        time.sleep(0.1)


def state():
    try:
        return json.loads(STATE_FILE.read_text())
    except FileNotFoundError:
        raise Refused("it is not running; start it by: scripts/playground") from None


class Bitcoin:
    """The regtest node. Amounts are decimal strings."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method, *params, wallet=False):
        cookie = (FOLDER / "bitcoin/regtest/.cookie").read_text()
        path = f"/wallet/{WALLET}" if wallet else "/"
        return call(self.url + path, method, *params, cookie=cookie)

    def fund(self):
        self.call("createwallet", WALLET)
        self.call("generatetoaddress", 110, self.own_address())

    def own_address(self):
        return self.call("getnewaddress", "", "bech32", wallet=True)

    address = own_address  # a payment to oneself is as good as any to the one who watches

    def pay(self, _asset, address, amount):
        return self.call("sendtoaddress", address, amount, wallet=True)

    def mine(self, count):
        self.call("generatetoaddress", count, self.own_address())

    def reorg(self, depth):
        height = self.call("getblockcount")
        self.call("invalidateblock", self.call("getblockhash", height - depth + 1))
        address = self.own_address()  # a new one: else the block could be the invalid one again
        for _ in range(depth + 1):
            self.call("generateblock", address, [])

    def height(self):
        return self.call("getblockcount")


class Ethereum:
    """The anvil. Amounts are decimal strings."""

    DECIMALS = {"ETH": 18, "USDT": 6, "USDC": 6}

    def __init__(self, port, contracts=None):
        self.url = f"http://127.0.0.1:{port}"
        self.contracts = contracts or {}

    def call(self, method, *params):
        return call(self.url, method, *params)

    def send(self, **transaction):
        transaction["from"] = self.call("eth_accounts")[0]
        transaction["nonce"] = self.call("eth_getTransactionCount", transaction["from"], "pending")
        return self.call("eth_sendTransaction", {"gas": hex(5_000_000), **transaction})

    def deploy(self, name, *words):
        code = (TOKENS / f"{name}.bin").read_text().strip()
        transaction = self.send(input="0x" + code + "".join(words))
        self.mine(1)
        return self.call("eth_getTransactionReceipt", transaction)["contractAddress"]

    def invoke(self, contract, abi, signature, *words):
        return self.send(to=contract, input=selector(abi, signature) + "".join(words))

    def deploy_tokens(self):
        owner = word(self.call("eth_accounts")[0])
        usdt = self.deploy("TestUSDT", word(SUPPLY))
        usdc = self.deploy("TestUSDCProxy", word(self.deploy("TestUSDC")))
        self.invoke(usdc, "TestUSDC", "initialize(address,uint256)", owner, word(SUPPLY))
        self.mine(1)
        self.contracts = {"USDT": usdt, "USDC": usdc}

    @staticmethod
    def address():
        return "0x" + secrets.token_hex(20)

    def pay(self, asset, address, amount):
        units = base_units(amount, self.DECIMALS[asset])
        if asset == "ETH":
            return self.send(to=address, value=hex(units))
        transfer = "transfer(address,uint256)"
        return self.invoke(self.contracts[asset], f"Test{asset}", transfer, word(address), word(units))

    def mine(self, count):
        for _ in range(count):
            self.call("evm_mine")

    def reorg(self, depth):
        self.call("anvil_reorg", depth, [])
        self.mine(1)

    def height(self):
        return int(self.call("eth_blockNumber"), 16)


def word(value):
    """An ABI word in hex: of a number, or of an address."""
    return f"{value if isinstance(value, int) else int(value, 16):064x}"


def selector(abi, signature):
    """A function's selector, as tests/tokens/*.abi.txt lists it."""
    for line in (TOKENS / f"{abi}.abi.txt").read_text().splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[2] == signature:
            return fields[0]
    raise Refused(f"{abi} has no {signature}")


def base_units(amount, decimals):
    whole, _, fraction = amount.partition(".")
    digits = whole + fraction.ljust(decimals, "0")
    if len(fraction) > decimals or not (digits.isascii() and digits.isdigit()):
        raise Refused(f"{amount} is no amount with at most {decimals} decimals")
    return int(digits)


def node(chain):
    known = state()
    if chain == "bitcoin":
        return Bitcoin(known["bitcoin_port"])
    if chain == "ethereum":
        return Ethereum(known["ethereum_port"], known)
    raise Refused(f"there is no chain {chain}, only bitcoin and ethereum")


def chain_of(asset):
    if asset == "BTC":
        return "bitcoin"
    if asset in Ethereum.DECIMALS:
        return "ethereum"
    raise Refused(f"there is no asset {asset}, only BTC, ETH, USDT and USDC")


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(count))]
    print(*(listener.getsockname()[1] for listener in listeners))


def set_up(bitcoin_port, http_port):
    """Waits for both nodes, funds and deploys, and writes the configuration."""
    log = FOLDER / "anvil.log"
    listening = "Listening on 127.0.0.1:"
    wait_until("anvil", lambda: listening in log.read_text())
    ethereum_port = int(log.read_text().split(listening)[1].split()[0])
    bitcoin = Bitcoin(bitcoin_port)
    wait_until("bitcoind", lambda: bitcoin.call("getblockchaininfo"))
    bitcoin.fund()
    ethereum = Ethereum(ethereum_port)
    ethereum.deploy_tokens()
    known = {
        "bitcoin_port": int(bitcoin_port), "http_port": int(http_port), "ethereum_port": ethereum_port,
        **ethereum.contracts,
    }
    (FOLDER / "config.toml").write_text(CONFIG.format(folder=FOLDER, **known))
    STATE_FILE.write_text(json.dumps(known))


def wait_ready():
    url = f"http://127.0.0.1:{state()['http_port']}/readyz"
    wait_until("confirmd to be ready", lambda: urllib.request.urlopen(url, timeout=5).status == 200)


def pay(payment_id, amount=None):
    """Reads the payment as a gateway would, and pays it."""
    database = sqlite3.connect(f"file:{FOLDER}/data/confirmd.db?mode=ro", uri=True)
    query = "SELECT chain, asset, address, amount_expected FROM v1_payment WHERE payment_id = ?"
    rows = database.execute(query, [payment_id]).fetchall()
    if not rows:
        raise Refused(f"there is no payment {payment_id} (a moment after it was ordered there is)")
    chain, asset, address, expected = rows[0]
    amount = amount or expected
    txid = node(chain).pay(asset, address, amount)
    print(f"sent {amount} {asset} to {address}\n{txid}\nnext: scripts/playground mine {chain}")


def mine(chain, count="1"):
    node(chain).mine(int(count))
    print(f"{chain} is at height {node(chain).height()}")


def reorg(chain, depth):
    node(chain).reorg(int(depth))
    print(f"{chain}: the last {depth} blocks are replaced by empty ones; height {node(chain).height()}")


COMMANDS = {
    "free-ports": free_ports,
    "set-up": set_up,
    "wait-ready": wait_ready,
    "guide": lambda: print(GUIDE.format(folder=FOLDER, **state())),
    "address": lambda chain: print(node(chain).address()),
    "address-for": lambda asset: print(node(chain_of(asset)).address()),
    "pay": pay,
    "mine": mine,
    "reorg": reorg,
}


def main():
    name, *arguments = sys.argv[2:]
    try:
        inspect.signature(COMMANDS[name]).bind(*arguments)
    except TypeError as error:
        sys.exit(f"playground: {name}: {error}; see: scripts/playground help")
    try:
        COMMANDS[name](*arguments)
    except (Refused, ValueError) as error:
        sys.exit(f"playground: {error}")
    except OSError as error:
        sys.exit(f"playground: a node or the daemon does not answer: {error}")


if __name__ == "__main__":
    main()
