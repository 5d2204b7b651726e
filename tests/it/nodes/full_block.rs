//! A block that is as full as consensus allows, and as odd: inscriptions, an annex, a witness of a version to
//! come, an airdrop, and outputs of every form. No relay policy is asked: it is mined as it stands.

use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::{OP_2DROP, OP_ENDIF, OP_IF, OP_PUSHBYTES_0};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{
    OutPoint, ScriptBuf, Transaction, TxOut, Txid, Witness, XOnlyPublicKey,
    consensus::encode::serialize_hex,
};
use serde_json::json;

use super::anybodys::{self, output, spend, spend_by};
use super::bitcoind::Bitcoind;

/// What a block may weigh, without room for its header and coinbase.
const WEIGHT: usize = 4_000_000 - 1_200;

/// The longest that consensus lets a script push, and a stack of version 0 hold.
const ELEMENT_MAX: usize = 520;
/// Elements that a witness script of version 0 can drop: it may have 201 opcodes, each of which drops two.
const DROPPED: usize = 400;
/// The longest script that can ever be spent is 10,000 bytes.
const LONG_SCRIPT: usize = 9_900;
const INSCRIBED: usize = 390_000;
const OF_THE_FUTURE: usize = 300_000;

/// Outputs of the airdrop, and ordinary transactions, each of which spends the one before.
pub const AIRDROP: usize = 10_000;
pub const ORDINARY: usize = 300;

/// Blocks until what the first one minted can be spent.
const RIPE: u64 = 101;
const COIN: u64 = 100_000_000;
const STRANGERS_SATS: u64 = 1_000;

/// BIP 341's point without a known logarithm: nobody's key.
const NOBODYS_KEY: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";

/// What locks a coin, and what unlocks it.
struct Kind {
    locked: ScriptBuf,
    script_sig: ScriptBuf,
    witness: Witness,
}

/// Coins for such a block, mined and ready.
pub struct Coins {
    first: Txid,
    kinds: Vec<Kind>,
}

impl Coins {
    /// Mines them on a node without blocks.
    pub fn mine(node: &Bitcoind) -> Self {
        let block = node.mine_to(&anybodys::address(), RIPE).swap_remove(0);
        let minted = node.rpc().call("getblock", json!([block, 1]))["tx"][0].take();
        let minted: Txid = minted.as_str().expect("a txid").parse().expect("a txid");
        let kinds = kinds();
        let mut outputs = vec![output(COIN, anybodys::script()); 3];
        outputs.extend(kinds.iter().map(|kind| output(COIN, kind.locked.clone())));
        let split = spend(OutPoint::new(minted, 0), outputs);
        node.mine_only(&[&serialize_hex(&split)]);
        Self {
            first: split.compute_txid(),
            kinds,
        }
    }

    /// One input, 10,000 outputs: strangers', but for those that stand at these places.
    pub fn airdrop(&self, paid: &[(usize, TxOut)]) -> Transaction {
        let mut outputs: Vec<TxOut> = (0..AIRDROP).map(|n| stranger(n, 0)).collect();
        for (place, own) in paid {
            outputs[*place] = own.clone();
        }
        spend(self.coin(0), outputs)
    }

    /// These outputs, each between odd ones.
    pub fn odd(&self, paid: &[TxOut]) -> Transaction {
        let odd = odd_scripts().into_iter();
        let mut outputs: Vec<TxOut> = odd.map(|script| output(STRANGERS_SATS, script)).collect();
        for (n, own) in paid.iter().enumerate() {
            outputs.insert(2 * n + 1, own.clone());
        }
        spend(self.coin(1), outputs)
    }

    /// Many small transactions, of which the one in the middle pays this, too.
    pub fn ordinary(&self, paid: &TxOut) -> Vec<Transaction> {
        let (mut coin, mut left) = (self.coin(2), COIN);
        let mut one = |n: usize| {
            let mut outputs = vec![stranger(n, 1)];
            outputs.extend((n == ORDINARY / 2).then(|| paid.clone()));
            left -= outputs.iter().map(|paid| paid.value.to_sat()).sum::<u64>();
            outputs.insert(0, output(left, anybodys::script()));
            let transaction = spend(coin, outputs);
            coin = OutPoint::new(transaction.compute_txid(), 0);
            transaction
        };
        (0..ORDINARY).map(&mut one).collect()
    }

    /// One transaction for each unusual way to unlock a coin. The last is as long as it takes to fill a block
    /// that holds these already.
    pub fn unusual(&self, others: &[Transaction]) -> Vec<Transaction> {
        let paying = |(n, kind): (usize, &Kind)| {
            let coin = self.coin(n + 3);
            let (script_sig, witness) = (kind.script_sig.clone(), kind.witness.clone());
            spend_by(coin, script_sig, witness, vec![stranger(n, 2)])
        };
        let mut made: Vec<Transaction> = self.kinds.iter().enumerate().map(paying).collect();
        let weight = |transactions: &[Transaction]| -> usize {
            let each = transactions.iter().map(|one| one.weight().to_wu());
            usize::try_from(each.sum::<u64>()).expect("a block's weight")
        };
        let missing = WEIGHT - weight(others) - weight(&made);
        let filler = made.last_mut().expect("a kind with an annex");
        filler.input[0].witness.push(annex(missing));
        made
    }

    fn coin(&self, number: usize) -> OutPoint {
        let vout = u32::try_from(number).expect("a small number");
        OutPoint::new(self.first, vout)
    }
}

fn kinds() -> Vec<Kind> {
    let op_true = Builder::new().push_opcode(OP_TRUE).into_script();
    let by_script_sig = |locked, script_sig| Kind {
        locked,
        script_sig,
        witness: Witness::new(),
    };
    let by_witness = |locked, witness| Kind {
        locked,
        script_sig: ScriptBuf::new(),
        witness,
    };
    let mut drops = Builder::new();
    for _ in 0..DROPPED / 2 {
        drops = drops.push_opcode(OP_2DROP);
    }
    let drops = drops.push_opcode(OP_TRUE).into_script();
    let mut dropped = Witness::from_slice(&vec![[0xdd; ELEMENT_MAX]; DROPPED]);
    dropped.push(drops.as_bytes());
    let redeem = Builder::new().push_slice(push(op_true.to_bytes()));
    vec![
        by_script_sig(op_true.clone(), ScriptBuf::new()),
        by_script_sig(ScriptBuf::new(), op_true.clone()),
        by_script_sig(op_true.to_p2sh(), redeem.into_script()),
        // The anchor that anybody may spend, and a version that has no rules yet.
        by_witness(program(1, &[0x4e, 0x73]), Witness::new()),
        by_witness(
            program(16, &[0x16; 40]),
            Witness::from_slice(&[vec![0xfe; OF_THE_FUTURE]]),
        ),
        by_witness(drops.to_p2wsh(), dropped),
        by_taproot(inscription()),
        by_taproot(op_true),
    ]
}

fn by_taproot(script: ScriptBuf) -> Kind {
    let (secp, key) = (Secp256k1::verification_only(), NOBODYS_KEY.parse());
    let key: XOnlyPublicKey = key.expect("a point");
    let tree = TaprootBuilder::new().add_leaf(0, script.clone());
    let spent = tree.expect("a leaf").finalize(&secp, key);
    let spent = spent.expect("a whole tree");
    let leaf = (script, LeafVersion::TapScript);
    let control = spent.control_block(&leaf).expect("a leaf of the tree");
    Kind {
        locked: ScriptBuf::new_p2tr_tweaked(spent.output_key()),
        script_sig: ScriptBuf::new(),
        witness: Witness::from_slice(&[leaf.0.to_bytes(), control.serialize()]),
    }
}

/// An envelope as Ordinals have it.
fn inscription() -> ScriptBuf {
    let mut envelope = Builder::new()
        .push_opcode(OP_TRUE)
        .push_opcode(OP_PUSHBYTES_0)
        .push_opcode(OP_IF)
        .push_slice(b"ord")
        .push_slice([1])
        .push_slice(b"image/png")
        .push_opcode(OP_PUSHBYTES_0);
    for _ in 0..INSCRIBED / ELEMENT_MAX {
        envelope = envelope.push_slice(push(vec![0x1f; ELEMENT_MAX]));
    }
    envelope.push_opcode(OP_ENDIF).into_script()
}

/// The last element of a taproot witness when it begins so; it means nothing yet. With its own length, it weighs
/// as much as said.
fn annex(weight: usize) -> Vec<u8> {
    let mut annex = vec![0xaa; weight - 5];
    annex[0] = 0x50;
    annex
}

/// Scripts as outputs have them, which nobody watches: most are no address's at all.
fn odd_scripts() -> Vec<ScriptBuf> {
    let (key33, key65) = (bare_key(), [&[4][..], &[0x79; 64]].concat());
    let multisig = [&[0x51, 33][..], &key33, &[65], &key65, &[0x52, 0xae]].concat();
    let mut odd: Vec<ScriptBuf> = (1..=16).map(|n| program(n, &[n; 40])).collect();
    odd.extend((2..=16).map(|n| program(n, &[n; 2])));
    odd.extend([
        program(1, &[0x4e, 0x73]),
        program(1, &[0x33; 32]),
        ScriptBuf::new(),
        [&[33][..], &key33, &[0xac]].concat().into(),
        [&[65][..], &key65, &[0xac]].concat().into(),
        multisig.into(),
        ScriptBuf::new_op_return(push(vec![0xda; 9_000])),
        vec![0x6a].into(),
        vec![0x61; LONG_SCRIPT].into(),
        // A push that ends before what it announces, and one that is written longer than it must be.
        vec![0x4e, 0xff, 0xff, 0xff, 0x7f, 0].into(),
        vec![0x4d, 1, 0, 0x51].into(),
        // Programs too short and too long to be any, and one that is pushed in another way.
        vec![0x52, 1, 1].into(),
        [&[0x52, 41][..], &[0x29; 41]].concat().into(),
        [&[0, 0x4c, 20][..], &[0x14; 20]].concat().into(),
        vec![0xff; 250].into(),
    ]);
    odd
}

/// A public key that an output names without a hash, alone and among others.
pub fn bare_key() -> Vec<u8> {
    [&[2][..], &[0x79; 32]].concat()
}

/// A witness program of a version from 1 on.
pub fn program(version: u8, program: &[u8]) -> ScriptBuf {
    let length = u8::try_from(program.len()).expect("a short program");
    [&[0x50 + version, length][..], program].concat().into()
}

/// Pays an address that nobody else is paid at.
fn stranger(n: usize, of: u8) -> TxOut {
    let mut script = vec![0, 20, of];
    script.extend(n.to_be_bytes());
    script.resize(22, 0x55);
    output(STRANGERS_SATS, script.into())
}

fn push(bytes: Vec<u8>) -> PushBytesBuf {
    PushBytesBuf::try_from(bytes).expect("a short push")
}
