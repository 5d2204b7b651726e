//! Ethereum: from how somebody pays to what their transaction does.

use super::{
    ethereum_side::{FAKE, ROUTER, USDC, USDT},
    world::{Payment, Trick},
};
use alloy_primitives::U256;
use confirmd::{
    domain::facts::Destination,
    sandbox::ethereum::{Frame, Intent, Kind, LogShape, Move},
};

const VAULT: [u8; 20] = [0x7a; 20];
const STRANGER: [u8; 20] = [0x57; 20];

/// The transaction that pays like this; ether goes in one of this kind.
pub fn intent(how: &Payment, kind: Kind) -> Intent {
    let to = account(&how.to);
    let amount = U256::from(how.amount);
    let token = contract_of(how.asset);
    match (how.trick, token) {
        (Trick::Sham(n), Some(token)) => sham(n, token, to, amount),
        (Trick::Sham(_), None) => Intent::batch(ROUTER, vec![Frame::call(to, amount)]),
        (_, Some(token)) if how.parts > 1 || !how.beside.is_empty() => {
            Intent::tokens(ROUTER, moves(token, how))
        }
        (_, Some(token)) => Intent::token(token, to, amount),
        (Trick::Calldata, None) => {
            let ether = Intent::ether(to, amount).of_kind(kind);
            ether.with_calldata([0xca, 0x11, 0xda, 0x7a])
        }
        (
            Trick::None | Trick::FromChange | Trick::ChangeOf(_) | Trick::Stuck | Trick::Fails,
            None,
        ) => Intent::ether(to, amount).of_kind(kind),
    }
}

/// The same in ether, by a contract that pays out: in one of several ways.
pub fn by_contract(how: &Payment, way: u64) -> Intent {
    let to = account(&how.to);
    let part = how.amount / how.parts;
    let first = how.amount - part * (how.parts - 1);
    let amounts = std::iter::once(first).chain((1..how.parts).map(|_| part));
    let pays = |amount: u64| Frame::call(to, U256::from(amount));
    let paid: Vec<Frame> = amounts.map(pays).collect();
    let whole = U256::from(how.amount);
    let calls = match way {
        0 => paid,
        1 => vec![
            Frame::call(STRANGER, U256::from(7)),
            Frame::call(VAULT, whole).with(paid),
        ],
        // What fails is no money, with all below it.
        2 => std::iter::once(Frame::call(VAULT, whole).with(paid.clone()).reverted())
            .chain(paid)
            .collect(),
        3 => vec![Frame::delegate_call(VAULT, whole).with(paid)],
        _ => vec![Frame::self_destruct(to, whole)],
    };
    Intent::batch(ROUTER, calls)
}

/// Each part of a payment in a token, and what others get beside it.
fn moves(token: [u8; 20], how: &Payment) -> Vec<Move> {
    let part = how.amount / how.parts;
    let rest = how.amount - part * (how.parts - 1);
    let parts = (1..how.parts).map(|_| (how.to, part));
    let parts = parts.chain([(how.to, rest)]);
    let parts = parts.chain(how.beside.iter().copied());
    let to_each = parts.map(|(to, amount)| Move {
        token,
        from: None,
        to: account(&to),
        amount: U256::from(amount),
    });
    to_each.collect()
}

/// What looks like a transfer of a token and is none.
fn sham(n: u64, token: [u8; 20], to: [u8; 20], amount: U256) -> Intent {
    match n % 5 {
        0 => Intent::token(FAKE, to, amount),
        1 => Intent::token_from(token, [0x77; 20], to, U256::ZERO),
        2 => Intent::refused_token(token, to, amount),
        3 => Intent::forged_log(token, FAKE, LogShape::Proper, to, amount),
        _ => {
            let shapes = LogShape::MALFORMED;
            let at = usize::try_from(n / 5).unwrap() % shapes.len();
            Intent::odd_log(token, shapes[at], to, amount)
        }
    }
}

pub fn account(destination: &Destination) -> [u8; 20] {
    destination.as_bytes().try_into().unwrap()
}

pub fn contract_of(asset: &str) -> Option<[u8; 20]> {
    match asset {
        "USDT" => Some(USDT),
        "USDC" => Some(USDC),
        _ => None,
    }
}

pub fn asset_of(token: Option<[u8; 20]>) -> Option<&'static str> {
    match token {
        None => Some("ETH"),
        Some(USDT) => Some("USDT"),
        Some(USDC) => Some("USDC"),
        Some(_) => None,
    }
}
