//! The acts: what is said of each, what is done, and what must come of it.

use super::stage::{Ending, Order, Stage};
use crate::domain::asset::ChainKind;

/// One act.
pub(super) struct Act {
    pub(super) title: &'static str,
    pub(super) says: &'static [&'static str],
    pub(super) play: fn(&mut Stage<'_>) -> Result<(), Ending>,
    /// What the gateway makes of it.
    pub(super) result: &'static str,
}

/// All of them, in the order of the tour.
pub(super) const ACTS: &[Act] = &[
    Act {
        title: "Paid in full",
        says: &[
            "Four customers pay exactly what they owe, each in another asset. Bitcoin is seen in the mempool,",
            "then in a block; `paid` comes at the asset's depth: BTC 2 blocks, ETH 12, USDT and USDC 6.",
        ],
        play: paid,
        result: "four times `paid` (exact): deliver",
    },
    Act {
        title: "Underpaid",
        says: &["An exchange took its fee out of the amount: 24.50 USDT arrive instead of 25."],
        play: underpaid,
        result: "`invalid` (underpaid): nothing is delivered; a person accepts it or pays it back",
    },
    Act {
        title: "Overpaid",
        says: &["30 USDC arrive instead of 25."],
        play: overpaid,
        result: "`paid` (overpaid): deliver; the surplus of 5 USDC is marked for review",
    },
    Act {
        title: "In two parts",
        says: &[
            "Two customers pay half and half. By default one transaction must cover the amount; the second",
            "order was registered with policy `sum`, where on-time transfers add up.",
        ],
        play: parts,
        result: "`invalid` (split) for the first, `paid` (exact) for the second",
    },
    Act {
        title: "The wrong asset",
        says: &[
            "25 USDC arrive where 25 USDT were expected. It is told at once, never counted and never converted;",
            "the customer may still pay rightly until the deadline.",
        ],
        play: wrong_asset,
        result: "`invalid` (wrong_asset) after the deadline: the money is known, a person sends it back",
    },
    Act {
        title: "Too late",
        says: &[
            "Nothing comes before the deadline and its grace of two minutes; the money comes afterwards.",
        ],
        play: late,
        result: "`expired`, then `invalid` (late): the order stays closed, the money is not lost from sight",
    },
    Act {
        title: "Replaced",
        says: &[
            "A customer pays in Bitcoin and, while no block has it, replaces the transaction by one that pays",
            "themselves (RBF). `pending` was never a promise; once the other one is in a block, it is certain.",
        ],
        play: replaced,
        result: "`new` (dropped), then `invalid` (double_spent): nothing was ever delivered",
    },
    Act {
        title: "Reorganised after `paid`",
        says: &[
            "A payment is `paid`; then other miners' longer branch replaces its blocks, without its transaction.",
            "That is said loudly, as one entry of kind `reversed`. Here the transaction is mined again.",
        ],
        play: reorganised,
        result: "`paid`, reversed, and `paid` again, with the flags reorged and reversed for good",
    },
];

fn paid(stage: &mut Stage<'_>) -> Result<(), Ending> {
    let orders = [
        Order::new("order-btc", "BTC", "0.015"),
        Order::new("order-eth", "ETH", "0.2"),
        Order::new("order-usdt", "USDT", "25"),
        Order::new("order-usdc", "USDC", "25"),
    ];
    for order in orders {
        stage.order(order)?;
        stage.pay(order.id)?;
    }
    let mut ends = orders.into_iter();
    ends.try_for_each(|order| stage.ends(order.id, "paid", "exact"))
}

fn underpaid(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.order(Order::new("underpaid", "USDT", "25"))?;
    stage.pay_other("underpaid", "24.50", "USDT")?;
    stage.ends("underpaid", "invalid", "underpaid")
}

fn overpaid(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.order(Order::new("overpaid", "USDC", "25"))?;
    stage.pay_other("overpaid", "30", "USDC")?;
    stage.ends("overpaid", "paid", "overpaid")
}

fn parts(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.order(Order::new("halves", "ETH", "0.2"))?;
    stage.order(Order {
        policy: Some("sum"),
        ..Order::new("halves-sum", "ETH", "0.2")
    })?;
    for id in ["halves", "halves-sum", "halves", "halves-sum"] {
        stage.pay_other(id, "0.1", "ETH")?;
    }
    stage.ends("halves", "invalid", "split")?;
    stage.ends("halves-sum", "paid", "exact")
}

fn wrong_asset(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.order(Order {
        minutes: 10,
        ..Order::new("wrong-asset", "USDT", "25")
    })?;
    stage.pay_other("wrong-asset", "25", "USDC")?;
    stage.hears("wrong-asset", "attention")?;
    stage.ends("wrong-asset", "invalid", "wrong_asset")
}

fn late(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.order(Order {
        minutes: 10,
        ..Order::new("late", "ETH", "0.2")
    })?;
    stage.becomes("late", "expired", "deadline")?;
    stage.pay("late")?;
    stage.ends("late", "invalid", "late")
}

fn replaced(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.order(Order::new("replaced", "BTC", "0.015"))?;
    // No block comes in between.
    stage.world(|world| world.stall(ChainKind::Bitcoin, true));
    let done = pay_and_replace(stage);
    stage.world(|world| world.stall(ChainKind::Bitcoin, false));
    done?;
    stage.ends("replaced", "invalid", "double_spent")
}

fn pay_and_replace(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.pay("replaced")?;
    stage.becomes("replaced", "pending", "")?;
    stage.replace("replaced")?;
    stage.becomes("replaced", "new", "dropped")
}

fn reorganised(stage: &mut Stage<'_>) -> Result<(), Ending> {
    stage.order(Order::new("reorged", "BTC", "0.015"))?;
    stage.pay("reorged")?;
    stage.becomes("reorged", "paid", "exact")?;
    // No block comes in between.
    stage.world(|world| world.stall(ChainKind::Bitcoin, true));
    let done = reorganise(stage);
    stage.world(|world| world.stall(ChainKind::Bitcoin, false));
    done?;
    stage.ends("reorged", "paid", "exact")
}

fn reorganise(stage: &mut Stage<'_>) -> Result<(), Ending> {
    let depth = stage.depth("reorged")?;
    stage
        .world(|world| world.reorg(&[ChainKind::Bitcoin], depth))
        .map_err(|refused| Ending::Wrong(refused.to_string()))?;
    stage.hears("reorged", "reversed")
}
