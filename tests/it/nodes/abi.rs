//! Just enough of Ethereum's ABI to call the test contracts.

use alloy_primitives::{Address, U256, keccak256};

/// An argument of a contract call.
#[derive(Clone, Debug)]
pub enum Arg {
    /// A number, an address, a boolean: one word.
    Word(U256),
    /// A dynamic array of words.
    List(Vec<U256>),
}

impl From<U256> for Arg {
    fn from(value: U256) -> Self {
        Self::Word(value)
    }
}

impl From<u64> for Arg {
    fn from(value: u64) -> Self {
        Self::Word(U256::from(value))
    }
}

impl From<Address> for Arg {
    fn from(value: Address) -> Self {
        Self::Word(word(value))
    }
}

impl From<&[Address]> for Arg {
    fn from(values: &[Address]) -> Self {
        Self::List(values.iter().copied().map(word).collect())
    }
}

impl From<&[u64]> for Arg {
    fn from(values: &[u64]) -> Self {
        Self::List(values.iter().copied().map(U256::from).collect())
    }
}

fn word(address: Address) -> U256 {
    address.into_word().into()
}

/// The calldata for a function such as `transfer(address,uint256)`.
pub fn encode_call(signature: &str, args: &[Arg]) -> Vec<u8> {
    let selector = &keccak256(signature)[..4];
    [selector, &encode(args)].concat()
}

/// The arguments alone, as they follow a contract's creation code: a head of one word each, in which a list
/// is an offset into the tail.
pub fn encode(args: &[Arg]) -> Vec<u8> {
    let head_len = args.len() * 32;
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    for arg in args {
        match arg {
            Arg::Word(value) => head.extend(value.to_be_bytes::<32>()),
            Arg::List(values) => {
                head.extend(U256::from(head_len + tail.len()).to_be_bytes::<32>());
                tail.extend(U256::from(values.len()).to_be_bytes::<32>());
                tail.extend(values.iter().flat_map(U256::to_be_bytes::<32>));
            }
        }
    }
    [head, tail].concat()
}
