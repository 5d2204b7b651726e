//! A chain of a real anvil that has some of everything: each type of transaction that anvil can make a block of,
//! payments that count and look-alikes that do not, and blocks with nothing in them.

use alloy_primitives::{Address, B256, U256, b256, hex};
use serde_json::{Value, json};

use crate::nodes::abi::{Arg, encode_call};
use crate::nodes::anvil::{Anvil, ETHER};
use crate::nodes::tokens::{self, Tokens, transfer};

/// Who is paid.
pub const SHOP: Address = Address::repeat_byte(0x11);
/// Who is watched as well, and never paid.
pub const UNPAID: Address = Address::repeat_byte(0x12);
/// Who is paid and not watched.
pub const STRANGER: Address = Address::repeat_byte(0x13);

/// How often the shop is paid on today's chain: 7 times in ether, 10 times in tokens.
pub const SHOP_CREDITS: usize = 17;

/// Rules of earlier years, under which blocks have fewer fields.
pub const EARLIER: [&str; 3] = ["paris", "shanghai", "cancun"];
/// How often it is paid under those: 4 times in ether, 7 times in tokens.
pub const EARLIER_CREDITS: usize = 11;

/// A blob of nothing, the commitment to it and the proof of it: the point at infinity; and its hash (EIP-4844).
const BLOB_BYTES: usize = 131_072;
const INFINITY: [u8; 48] = {
    let mut point = [0; 48];
    point[0] = 0xc0;
    point
};
const BLOB_HASH: B256 = b256!("0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014");

/// Types of transactions that are sent without more ado.
const TYPES: usize = 4;
/// As many as there were before accounts could lend code.
const EARLIER_TYPES: usize = 3;

/// When the chain begins, so that every run has the same one.
const BEGINNING: u64 = 1_700_000_000;

pub struct Chain {
    pub anvil: Anvil,
    pub tokens: Tokens,
}

impl Chain {
    /// Today's. Its last block holds blobs, and no other node would encode it as anvil does: see `dressed`.
    pub fn start() -> Self {
        let chain = Self::under(&[]);
        chain.ether(TYPES);
        chain.dollars();
        chain.mine(); // nothing
        chain.look_alikes();
        chain.twins();
        chain.mine();
        chain.mine();
        chain.blobs();
        chain
    }

    /// One of earlier rules.
    pub fn earlier(hardfork: &str) -> Self {
        let chain = Self::under(&["--hardfork", hardfork]);
        chain.ether(EARLIER_TYPES);
        chain.dollars();
        chain.look_alikes();
        chain.mine();
        chain
    }

    fn under(rules: &[&str]) -> Self {
        let beginning = BEGINNING.to_string();
        let usual = ["--timestamp", &beginning, "--slots-in-an-epoch", "1"];
        let anvil = Anvil::start_with(&[&usual[..], rules].concat());
        anvil.set_next_timestamp(BEGINNING + 12);
        let tokens = Tokens::deploy(&anvil);
        Self { anvil, tokens }
    }

    /// A block with what waits, twelve seconds after the one before.
    fn mine(&self) {
        self.anvil.set_next_timestamp(self.anvil.timestamp() + 12);
        self.anvil.mine(1);
    }

    /// Sends a transaction of whatever type these fields make it.
    fn send(&self, to: Address, wei: u64, nonce: u64, fields: Value) -> B256 {
        let mut transaction = fields;
        transaction["from"] = json!(self.anvil.account(2));
        transaction["to"] = json!(to);
        transaction["value"] = json!(U256::from(wei));
        transaction["gas"] = json!("0x186a0");
        transaction["nonce"] = json!(U256::from(nonce));
        let hash = self
            .anvil
            .rpc()
            .call("eth_sendTransaction", json!([transaction]));
        serde_json::from_value(hash).expect("a hash")
    }

    /// Ether to the shop and to a stranger in so many of types 0, 1, 2 and 4, with calldata, into a creation, and in vain.
    fn ether(&self, count: usize) {
        let anvil = &self.anvil;
        let keys = [B256::repeat_byte(1), B256::repeat_byte(2)];
        let access = json!([
            {"address": self.tokens.usdt, "storageKeys": keys},
            {"address": STRANGER, "storageKeys": []},
        ]);
        let authorization = |byte: u8| {
            json!({
                "chainId": "0x7a69", "address": Address::repeat_byte(byte), "nonce": "0x5",
                "yParity": "0x1", "r": "0x1234", "s": "0x5678",
            })
        };
        let fees = json!({"maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x1"});
        let with = |field: &str, value: &Value| {
            let mut fields = fees.clone();
            fields[field] = value.clone();
            fields
        };
        let types = [
            json!({"gasPrice": "0x77359400"}),
            json!({"gasPrice": "0x77359400", "accessList": access}),
            with("accessList", &access),
            with(
                "authorizationList",
                &json!([authorization(0x21), authorization(0x22)]),
            ),
        ];
        for (nonce, fields) in (0..).step_by(2).zip(types).take(count) {
            self.send(SHOP, ETHER + nonce, nonce, fields.clone());
            self.send(STRANGER, 2 * ETHER, nonce + 1, fields);
        }
        anvil.call_contract(anvil.account(1), SHOP, 7, b"order-1, thank you");
        anvil.deploy("60006000f3", &[]);
        anvil.invoke_paying(self.tokens.mischief, ETHER, "createWith()", &[]);
        let forward = "forwardAndRevert(address)";
        anvil.invoke_paying(self.tokens.mischief, ETHER, forward, &[SHOP.into()]);
        self.mine();
    }

    /// Tokens to the shop, one by one and in a batch.
    fn dollars(&self) {
        let (anvil, tokens) = (&self.anvil, &self.tokens);
        transfer(anvil, tokens.usdt, SHOP, 25_000_000);
        transfer(anvil, tokens.usdc, SHOP, 3_000_000);
        transfer(anvil, tokens.usdt, STRANGER, 9_000_000);
        let payouts = [(SHOP, 1_000_000), (STRANGER, 2_000_000), (SHOP, 3_000_000)];
        tokens::batch(anvil, tokens, tokens.usdt, &payouts);
        tokens::log_and_transfer(anvil, tokens, SHOP, 999, 7_000_000);
        let mint = "mint(address,uint256)";
        let huge = U256::from(u128::MAX) + U256::from(1);
        anvil.invoke(tokens.usdc, mint, &[SHOP.into(), huge.into()]);
        self.typed_transfer(tokens.usdc, 4_000_000);
        self.mine();
    }

    /// A transfer of tokens by a transaction of type 2.
    fn typed_transfer(&self, token: Address, amount: u64) {
        let anvil = &self.anvil;
        let (payer, payout) = (anvil.account(4), "transfer(address,uint256)");
        tokens::transfer(anvil, token, payer, amount);
        let call = encode_call(payout, &[SHOP.into(), amount.into()]);
        let transaction = json!({
            "from": payer, "to": token, "gas": "0x186a0", "input": hex::encode_prefixed(call), "nonce": "0x0",
            "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x1",
        });
        anvil
            .rpc()
            .call("eth_sendTransaction", json!([transaction]));
    }

    /// Everything that looks like money and is none.
    fn look_alikes(&self) {
        let (anvil, tokens) = (&self.anvil, &self.tokens);
        transfer(anvil, tokens.fake_usdt, SHOP, 99_000_000);
        tokens::log_look_alikes(anvil, tokens, SHOP, 5);
        for function in [
            "transferAndRevert(address,address,uint256)",
            "transferInRevertedCall(address,address,uint256)",
        ] {
            let args = [tokens.usdt.into(), SHOP.into(), 5_000_000.into()];
            anvil.invoke(tokens.mischief, function, &args);
        }
        let victims: &[Address] = &[SHOP, UNPAID];
        let args: [Arg; 3] = [tokens.usdt.into(), anvil.account(3).into(), victims.into()];
        anvil.invoke(tokens.mischief, "poison(address,address,address[])", &args);
        self.mine();
    }

    /// Equal logs in one transaction and equal transfers in one block.
    fn twins(&self) {
        let (anvil, tokens) = (&self.anvil, &self.tokens);
        tokens::batch(anvil, tokens, tokens.usdc, &[(SHOP, 8), (SHOP, 8)]);
        transfer(anvil, tokens.usdt, STRANGER, 8);
        transfer(anvil, tokens.usdt, STRANGER, 8);
        anvil.send_eth(SHOP, 8);
        self.mine();
    }

    /// Ether with a blob to the shop and with two to a stranger, and dollars beside them.
    fn blobs(&self) {
        let (anvil, tokens) = (&self.anvil, &self.tokens);
        let sidecar = |count: usize| {
            let points = vec![hex::encode_prefixed(INFINITY); count];
            json!({
                "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x1", "maxFeePerBlobGas": "0x77359400",
                "blobVersionedHashes": vec![BLOB_HASH; count], "commitments": points, "proofs": points,
                "blobs": vec![hex::encode_prefixed(vec![0; BLOB_BYTES]); count],
            })
        };
        let nonce = 2 * u64::try_from(TYPES).expect("a few");
        self.send(SHOP, 3 * ETHER, nonce, sidecar(1));
        self.send(STRANGER, ETHER, nonce + 1, sidecar(2));
        transfer(anvil, tokens.usdt, SHOP, 6_000_000);
        transfer(anvil, tokens.usdc, STRANGER, 6_000_000);
        self.mine();
    }
}
