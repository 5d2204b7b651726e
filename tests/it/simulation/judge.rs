//! The judge: small, slow, separate. From the whole true chain history it says where every
//! payment must be, and compares.

mod cursors;
mod growth;
mod recorded;
mod standing;
mod watch;

use super::{
    answers,
    checks::Told,
    customers::Order,
    plan::Plan,
    promises,
    rows::{Shown, Transfer, transfers},
    world::{Side, Which, World},
};
use confirmd::{
    domain::{block::BlockHash, request::Request, time::UnixMs},
    sandbox::tree::Branch,
};
use recorded::is_of;
use rusqlite::Connection;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What the judge is told beside the database.
pub struct Case<'a> {
    pub db: &'a Connection,
    pub world: &'a World,
    pub orders: &'a HashMap<String, Order>,
    pub inbox: &'a [Request],
    pub told: &'a BTreeMap<String, Told>,
    pub now: UnixMs,
    pub plan: &'a Plan,
}

/// One chain of it, when everything is scanned.
struct Settled<'a> {
    case: &'a Case<'a>,
    side: &'a dyn Side,
    branch: Arc<Branch>,
    heights: cursors::Heights,
}

/// How many payments were looked at, by what could be said of them.
#[derive(Debug, Default)]
pub struct Judged {
    /// They are where the truth puts them.
    pub compared: u64,
    /// People decided, and the chain alone does not say where they are.
    pub decided: u64,
    /// They are not, but their money moved when nobody had to watch any more.
    pub excused: u64,
}

/// Compares every payment with where the truth puts it, when faults have stopped and everything
/// is scanned.
pub fn settle(case: &Case<'_>) -> Result<Judged, String> {
    let mut judged = Judged::default();
    promises::nothing_twice(case.db)?;
    answers::are_right(case)?;
    for which in Which::BOTH {
        let side = case.world.side(which);
        let heights = cursors::are_right(case, side, which)?;
        let settled = Settled {
            case,
            side,
            branch: side.branch_to(side.head().id.hash).unwrap(),
            heights,
        };
        settled.compare_all(which, &mut judged)?;
    }
    Ok(judged)
}

impl Settled<'_> {
    fn compare_all(&self, which: Which, judged: &mut Judged) -> Result<(), String> {
        let sql = "SELECT * FROM v1_payment WHERE chain = ?";
        let mut statement = self.case.db.prepare(sql).unwrap();
        let rows = statement.query_map([which.name()], Shown::read).unwrap();
        for shown in rows.map(Result::unwrap) {
            let order = &self.case.orders[&shown.id];
            let transfers = transfers(self.case.db, &shown.id);
            let of_it = |why| format!("{}: {why}", shown.id);
            self.holds_together(order, &shown, &transfers)
                .map_err(of_it)?;
            match self.look_at(order, &shown, &transfers) {
                Ok(true) => judged.compared += 1,
                Ok(false) => judged.decided += 1,
                Err(_) if self.moved_after_watch(order, &shown) => judged.excused += 1,
                Err(_) if self.was_blind_in_the_end(order, &shown) => judged.excused += 1,
                Err(why) => return Err(of_it(why)),
            }
        }
        Ok(())
    }

    /// What a payment owes whatever happens: its terms, sums, and nothing that nobody ever paid.
    fn holds_together(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
    ) -> Result<(), String> {
        promises::is_promised(self.case, order, shown)?;
        promises::adds_up(self.case, order, shown, transfers)?;
        for transfer in transfers.iter().filter(|transfer| !transfer.is_growth()) {
            let paying = self.side.truth().get(transfer.txid);
            let paying = paying.ok_or("an unknown transaction")?;
            let mined = paying.mined.iter().flat_map(|mined| &mined.credits);
            let mut ever = mined.chain(&paying.credits);
            if !ever.any(|credit| is_of(credit, order, transfer)) {
                let (position, txid) = (&transfer.position, transfer.txid);
                return Err(format!("{position} of {txid} was never credited"));
            }
        }
        Ok(())
    }

    /// Whether a payment is where the truth puts it; false when people decided.
    fn look_at(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
    ) -> Result<bool, String> {
        let (grown, proven): (Vec<Transfer>, Vec<Transfer>) =
            transfers.iter().cloned().partition(Transfer::is_growth);
        let growth = self.growth(order, shown, &grown, &proven)?;
        self.nothing_invented(order, &proven)?;
        self.nothing_lost(order, shown, &proven)?;
        self.nothing_overlooked(order, shown, &proven)?;
        self.compare(order, shown, &proven, growth)
    }
}

fn hash_text(which: Which, hash: BlockHash) -> String {
    match which {
        Which::Bitcoin => hash.to_string(),
        Which::Ethereum => format!("0x{hash}"),
    }
}
