//! A crowd that fills an anvil's blocks: half of it moves ether, half of it USDT. It sends a block's
//! transactions in one request; one by one, that would take longer than what is measured.

use super::nodes::{abi::encode_call, anvil::Anvil, tokens::Tokens};
use crate::support::{
    connection::Connection,
    payments::{self, MICRO_USDT, WEI},
};
use alloy_primitives::{Address, U256, hex};
use serde_json::{Value, json};

/// Transactions in a block.
pub const TRANSACTIONS: u64 = 200;
/// So many of them move USDT.
pub const TRANSFERS: u64 = TRANSACTIONS / 2;

/// The first of the numbers that no payment has: strangers are paid there.
const STRANGERS: u64 = 1_000_000;
/// Burned by neither kind.
const GAS: u64 = 100_000;

/// Who is paid in a block, by number.
#[derive(Clone, Copy, Default)]
pub struct Paid {
    pub usdt: Option<u64>,
    pub ether: Option<u64>,
}

/// The ids of the transactions that pay.
pub struct Payers {
    pub usdt: String,
    pub ether: String,
}

/// Sends from the anvil's first account.
pub struct Crowd {
    connection: Connection,
    from: Address,
    usdt: Address,
    nonce: u64,
    strangers: u64,
}

impl Crowd {
    pub fn of(anvil: &Anvil, tokens: &Tokens) -> Self {
        let from = anvil.account(0);
        let nonce = anvil
            .rpc()
            .call("eth_getTransactionCount", json!([from, "latest"]));
        let nonce: U256 = serde_json::from_value(nonce).expect("a nonce");
        Self {
            connection: Connection::open(&anvil.url()),
            from,
            usdt: tokens.usdt,
            nonce: nonce.to(),
            strangers: STRANGERS,
        }
    }

    /// Sends the next block's transactions, which wait. Whoever is paid is paid in their middle.
    pub fn send(&mut self, paid: Paid) -> Payers {
        let calls: Vec<Value> = (0..TRANSACTIONS)
            .map(|n| {
                let payee = |of: Option<u64>| of.filter(|_| n / 2 == TRANSFERS / 2);
                let transaction = match n % 2 {
                    0 => self.ether(payee(paid.ether)),
                    _ => self.usdt(payee(paid.usdt)),
                };
                json!({"jsonrpc": "2.0", "id": n, "method": "eth_sendTransaction", "params": [transaction]})
            })
            .collect();
        let answers = self.connection.post(&Value::from(calls).to_string());
        let answers: Vec<Value> = serde_json::from_slice(answers).expect("a list of answers");
        let id_of = |n: u64| {
            let answer = answers.iter().find(|answer| answer["id"] == n);
            let answer = answer.expect("an answer to each call");
            let id = answer["result"].as_str();
            id.unwrap_or_else(|| panic!("{answer}")).to_owned()
        };
        let all: Vec<String> = (0..TRANSACTIONS).map(id_of).collect();
        let middle = usize::try_from(TRANSFERS / 2 * 2).expect("a small number");
        Payers {
            ether: all[middle].clone(),
            usdt: all[middle + 1].clone(),
        }
    }

    fn ether(&mut self, paid: Option<u64>) -> Value {
        let wei = paid.map_or(1, |_| WEI);
        let to = self.account(paid);
        self.transaction(to, wei, &[])
    }

    fn usdt(&mut self, paid: Option<u64>) -> Value {
        let amount = paid.map_or(1, |_| MICRO_USDT);
        let to = self.account(paid);
        let args = [to.into(), amount.into()];
        let data = encode_call("transfer(address,uint256)", &args);
        self.transaction(self.usdt, 0, &data)
    }

    /// Of a payment, or of a stranger whom nobody has paid before.
    fn account(&mut self, paid: Option<u64>) -> Address {
        payments::account(paid.unwrap_or_else(|| {
            self.strangers += 1;
            self.strangers
        }))
    }

    fn transaction(&mut self, to: Address, wei: u64, data: &[u8]) -> Value {
        let nonce = U256::from(self.nonce);
        self.nonce += 1;
        json!({
            "from": self.from, "to": to, "value": U256::from(wei), "gas": U256::from(GAS),
            "nonce": nonce, "input": hex::encode_prefixed(data),
        })
    }
}
