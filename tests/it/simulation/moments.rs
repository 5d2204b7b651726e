//! What must be true in the moment in which a gateway reads it: no `paid` without its money, no
//! `expired` over money that came in time. Knows the truth, and the row as it was told.

use super::{
    customers::Order,
    rows::units,
    truth::Credit,
    world::{Side, Which, World},
};
use confirmd::{
    domain::{
        block::{BlockRef, TxId},
        time::UnixMs,
    },
    sandbox::tree::Branch,
};
use serde_json::Value;

/// What lies this long before a registration need not be looked for: the slack of the block times
/// of each chain.
const PAST_MS: [(Which, i64); 2] = [(Which::Bitcoin, 2 * 3_600_000), (Which::Ethereum, 120_000)];

/// Block times are whole seconds, rounded down.
const BLOCK_TIME_MS: i64 = 1_000;

/// Checks that a branch is one that the node is on.
pub fn is_the_nodes(side: &dyn Side, branch: &Branch) -> Result<(), String> {
    let head = side.head();
    let hash = branch.head();
    let known = side.branch_to(head.id.hash).unwrap();
    if known.at(branch.height()) == hash {
        return Ok(());
    }
    Err(format!(
        "it is judged on {hash:?}, which the node has long left"
    ))
}

/// Checks that a payment that has just become `paid` has its money at depth on this branch,
/// and that it was there to be seen before its deadline.
pub fn is_borne_out(
    side: &dyn Side,
    branch: &Branch,
    order: &Order,
    data: &Value,
) -> Result<(), String> {
    let required = data["confirmations_required"].as_u64().unwrap();
    // Nothing above is, or ever was, what the payment waits for.
    let called = match data["depth_rule"].as_str().unwrap() {
        "safe" => Some(side.safe_height()),
        "finalized" => Some(side.final_height()),
        _ => None,
    };
    let ms = |name: &str| data[name].as_i64().unwrap();
    let last = ms("expires_at") + ms("grace_ms") + ms("late_accept_ms") + BLOCK_TIME_MS;
    let is_late = |txid: &TxId| side.truth().first_visible(*txid, &order.to).0 > last;
    let allowed = units(data["allowed_shortfall"].as_str().unwrap());
    let deep = |txid: &TxId| {
        let mined = side.truth().place(*txid, branch)?;
        let confirmations = branch.height().0.checked_sub(mined.block.id.height.0)? + 1;
        let sum = brought(&mined.credits, order, Some(order.asset));
        let is_deep = called.map_or_else(
            || u64::from(confirmations) >= required,
            |called| mined.block.id.height <= called,
        );
        // What one operator alone ever showed buries nothing.
        let top = called.map_or(u32::try_from(required).unwrap().max(1), |_| 1) - 1;
        let top = branch.at(mined.block.id.height.plus(top));
        let is_forged = top.is_some_and(|top| side.is_forged(top));
        (is_deep && !is_forged).then_some(sum)
    };
    let paying = side.truth().to(&order.to).iter();
    let paying = paying.filter(|txid| !is_late(txid));
    let deep: Vec<u64> = paying.filter_map(deep).collect();
    let best = best(&deep, data["policy"].as_str().unwrap());
    if best + allowed >= order.amount {
        Ok(())
    } else {
        Err(format!(
            "only {best} of {} came in time and are deep enough: {data}",
            order.amount
        ))
    }
}

/// What credits bring to an order's address, in one asset or in any.
fn brought(credits: &[Credit], order: &Order, asset: Option<&str>) -> u64 {
    let is_ours =
        |credit: &&Credit| credit.to == order.to && asset.is_none_or(|asset| credit.asset == asset);
    let ours = credits.iter().filter(is_ours);
    ours.map(|credit| credit.amount).sum()
}

/// What may count of the sums of transactions.
pub fn best(sums: &[u64], policy: &str) -> u64 {
    if policy == "sum" {
        sums.iter().sum()
    } else {
        sums.iter().copied().max().unwrap_or(0)
    }
}

/// Checks that a payment that has just become final has money that it may rest on in blocks that
/// are final; an operator may have accepted any.
pub fn is_final_truly(side: &dyn Side, order: &Order, data: &Value) -> Result<(), String> {
    let last = side.final_height();
    // A node that lags may be below what it called final before.
    let reaches = |head: &BlockRef| head.id.height >= last;
    let head = Some(side.head()).filter(reaches);
    let branch = side.branch_to(head.unwrap_or_else(|| side.best()).id.hash);
    let branch = branch.unwrap();
    let is_accepted = data["reason"] == "operator";
    let asset = Some(order.asset).filter(|_| !is_accepted);
    let rests = |txid: &TxId| {
        let mined = side.truth().place(*txid, &branch)?;
        let sum = brought(&mined.credits, order, asset);
        (mined.block.id.height <= last && sum > 0).then_some(sum)
    };
    let paid = side.truth().to(&order.to).iter().filter_map(rests);
    // What only a balance tells counts where an operator accepts it.
    let given = side.truth().given(&order.to).iter();
    let given =
        given.filter(|(block, _)| is_accepted && block.id.height <= last && branch.holds(*block));
    let given = given.map(|(_, amount)| *amount);
    let sums: Vec<u64> = paid.chain(given).collect();
    let best = best(&sums, data["policy"].as_str().unwrap());
    let allowed = units(data["allowed_shortfall"].as_str().unwrap());
    if best > 0 && (is_accepted || best + allowed >= order.amount) {
        return Ok(());
    }
    Err(format!(
        "only {best} of {} lie below {last:?}",
        order.amount
    ))
}

/// Checks that nothing that came before the deadline stands in the node's chain, so that a payment
/// may expire. When that chain changed after the deadline, nobody says what was there before.
///
/// Of what contracts moved up to `untraced_at` not all is known: who may have got some of it is flagged.
pub fn came_to_nothing(
    world: &World,
    order: &Order,
    data: &Value,
    untraced_at: Option<i64>,
) -> Result<(), String> {
    let ms = |name: &str| data[name].as_i64().unwrap();
    let deadline = ms("expires_at") + ms("grace_ms");
    if world.was_odd_at(order.which).0 > deadline {
        return Ok(());
    }
    let side = world.side(order.which);
    let branch = side.branch_to(side.head().id.hash).unwrap();
    for txid in side.truth().to(&order.to) {
        let waits = world
            .sight(order.which)
            .was_held_at(*txid, UnixMs(deadline));
        let paying = side.truth().get(*txid);
        let sum = paying.map_or(0, |paying| brought(&paying.credits, order, None));
        if waits && sum >= order.dust() {
            return Err(format!("{txid} has long been waiting in the mempool"));
        }
    }
    let begin = ms("created_at") - past_ms(order.which);
    for txid in side.truth().to(&order.to) {
        let Some(mined) = side.truth().place(*txid, &branch) else {
            continue;
        };
        let is_lost = is_flagged(data) && untraced_at.is_some_and(|at| mined.block.time.0 <= at);
        let mut known = mined.credits.clone();
        known.retain(|credit| !(is_lost && credit.is_inner()));
        let sum = brought(&known, order, Some(order.asset));
        if sum >= order.dust() && (begin..=deadline).contains(&mined.block.time.0) {
            let height = mined.block.id.height;
            return Err(format!("{txid} in block {height} came in time"));
        }
    }
    let given = side.truth().given(&order.to).iter();
    let in_time = given.filter(|(block, _)| {
        order.asset == "ETH" && branch.holds(*block) && (begin..=deadline).contains(&block.time.0)
    });
    let sum: u64 = in_time.map(|(_, amount)| amount).sum();
    if sum >= order.dust() && !is_flagged(data) {
        return Err(format!("contracts gave {sum} in time"));
    }
    Ok(())
}

/// Whether a person is told that not all of it is known.
fn is_flagged(data: &Value) -> bool {
    let flags = data["flags"].as_str().unwrap_or_default();
    data["needs_review"] == 1 && flags.split(',').any(|flag| flag == "degraded")
}

/// How far before its registration a payment's money is looked for.
pub fn past_ms(which: Which) -> i64 {
    let of = |(chain, _): &&(Which, i64)| *chain == which;
    PAST_MS.iter().find(of).unwrap().1
}
