//! Bitcoin's own serialization of transactions (BIP 144), read where it lies: a block in
//! catch-up costs its bytes and its hashes, no allocation for each input, output and witness.
//!
//! Accepts of what fits in a block exactly what the library reads, which the tests compare it with.
//! Whether a transaction is valid, and who is paid, is not known in here.

use bitcoin::{
    OutPoint, Script, Txid,
    hashes::{Hash, HashEngine, sha256d},
};

/// The smallest usual transaction, to guess how much room a list of them needs.
const SMALL_TRANSACTION_BYTES: usize = 60;

/// Why bytes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// They end before what they hold does.
    #[error("ends too early")]
    End,
    /// They go on after it.
    #[error("goes on after its end")]
    Trailing,
    /// A count is written longer than it must be.
    #[error("writes a count in more bytes than needed")]
    LongCount,
    /// The byte after the marker of BIP 144 is not the one that it defines.
    #[error("has an unknown transaction format")]
    Flag,
    /// Says that it has witnesses and has none.
    #[error("has the format of a witness without one")]
    NoWitness,
}

/// A transaction, in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct SerializedTx<'a> {
    /// Its id.
    pub(super) txid: Txid,
    /// As the count of its inputs and of its outputs says.
    pub(super) input_count: usize,
    pub(super) output_count: usize,
    inputs: &'a [u8],
    outputs: &'a [u8],
}

/// What an input spends, and by which script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) previous_output: OutPoint,
    pub(super) script_sig: &'a Script,
}

/// What an output is worth in satoshi, and to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output<'a> {
    pub(super) sats: u64,
    pub(super) script_pubkey: &'a Script,
}

impl<'a> SerializedTx<'a> {
    /// Reads bytes that are one transaction and nothing else.
    pub(super) fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(raw);
        let tx = reader.transaction()?;
        reader.finish()?;
        Ok(tx)
    }

    /// Reads the transactions of a block: what follows its header.
    pub(super) fn read_all(raw: &'a [u8]) -> Result<Vec<Self>, Malformed> {
        let mut reader = Reader(raw);
        let count = reader.count()?;
        let mut all = Vec::with_capacity(count.min(raw.len() / SMALL_TRANSACTION_BYTES));
        for _ in 0..count {
            all.push(reader.transaction()?);
        }
        reader.finish()?;
        Ok(all)
    }

    /// What it spends, in order.
    pub(super) fn inputs(&self) -> impl Iterator<Item = Input<'a>> + use<'a> {
        let mut reader = Reader(self.inputs);
        (0..self.input_count).map_while(move |_| reader.input().ok())
    }

    /// What it pays, in order.
    pub(super) fn outputs(&self) -> impl Iterator<Item = Output<'a>> + use<'a> {
        let mut reader = Reader(self.outputs);
        (0..self.output_count).map_while(move |_| reader.output().ok())
    }

    /// Whether it mints: its only input spends nothing.
    pub(super) fn is_coinbase(&self) -> bool {
        let mut inputs = self.inputs().map(|input| input.previous_output);
        self.input_count == 1 && inputs.all(|spent| spent.is_null())
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn transaction(&mut self) -> Result<SerializedTx<'a>, Malformed> {
        let version = self.bytes(4)?;
        // No transaction is without inputs, so a count of none marks the longer format.
        let has_witness = self.0.first() == Some(&0);
        if has_witness && self.bytes(2)? != [0, 1] {
            return Err(Malformed::Flag);
        }
        let body = self.0;
        let input_count = self.count()?;
        let inputs = self.skip(input_count, |reader| reader.input().map(drop))?;
        let output_count = self.count()?;
        let outputs = self.skip(output_count, |reader| reader.output().map(drop))?;
        let body = read_of(body, self.0);
        if has_witness {
            self.witnesses(input_count)?;
        }
        let lock_time = self.bytes(4)?;
        // The id leaves witnesses out.
        let mut engine = Txid::engine();
        for part in [version, body, lock_time] {
            engine.input(part);
        }
        Ok(SerializedTx {
            txid: Txid::from_raw_hash(sha256d::Hash::from_engine(engine)),
            input_count,
            output_count,
            inputs,
            outputs,
        })
    }

    fn input(&mut self) -> Result<Input<'a>, Malformed> {
        let txid = Txid::from_byte_array(*self.array()?);
        let vout = u32::from_le_bytes(*self.array()?);
        let script_sig = self.script()?;
        let _sequence: &[u8; 4] = self.array()?;
        Ok(Input {
            previous_output: OutPoint { txid, vout },
            script_sig,
        })
    }

    fn output(&mut self) -> Result<Output<'a>, Malformed> {
        Ok(Output {
            sats: u64::from_le_bytes(*self.array()?),
            script_pubkey: self.script()?,
        })
    }

    fn witnesses(&mut self, inputs: usize) -> Result<(), Malformed> {
        let mut is_empty = inputs > 0;
        for _ in 0..inputs {
            let items = self.count()?;
            is_empty &= items == 0;
            self.skip(items, |reader| reader.string().map(drop))?;
        }
        if is_empty {
            return Err(Malformed::NoWitness);
        }
        Ok(())
    }

    /// Reads so many and returns the bytes that they take.
    fn skip(
        &mut self,
        count: usize,
        mut one: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<&'a [u8], Malformed> {
        let before = self.0;
        for _ in 0..count {
            one(self)?;
        }
        Ok(read_of(before, self.0))
    }

    fn script(&mut self) -> Result<&'a Script, Malformed> {
        self.string().map(Script::from_bytes)
    }

    fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.count()?;
        self.bytes(len)
    }

    /// A count of 1, 3, 5 or 9 bytes ("compact size"), as short as it can be.
    fn count(&mut self) -> Result<usize, Malformed> {
        let [first] = *self.array()?;
        let (count, least) = match first {
            0xfd => (u16::from_le_bytes(*self.array()?).into(), 0xfd),
            0xfe => (u32::from_le_bytes(*self.array()?).into(), 0x1_0000),
            0xff => (u64::from_le_bytes(*self.array()?), 0x1_0000_0000),
            small => (u64::from(small), 0),
        };
        if count < least {
            return Err(Malformed::LongCount);
        }
        usize::try_from(count).map_err(|_| Malformed::End)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self.0.split_at_checked(len).ok_or(Malformed::End)?;
        self.0 = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (taken, left) = self.0.split_first_chunk().ok_or(Malformed::End)?;
        self.0 = left;
        Ok(taken)
    }

    const fn finish(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }
}

/// What of `before` was read when `left` is left.
fn read_of<'a>(before: &'a [u8], left: &[u8]) -> &'a [u8] {
    let read = before.len().saturating_sub(left.len());
    before.get(..read).unwrap_or_default()
}

#[cfg(test)]
mod tests;
