//! Operators that are not as they should be, one at a time, and traces that come late or are refused by all.

use super::{
    agenda::Action,
    customers::Order,
    ethereum_intents::account,
    ethereum_side::Forged,
    lie::Lie,
    misconduct::{How, Misconduct, Traces, Victim},
    plan::Faults,
    providers::Tracing,
    run::Simulation,
    wire::Wire,
    world::Which,
};

const MINUTE: u64 = 60_000;
/// Whoever waits for money by a contract, of the youngest orders in ether.
const VICTIMS: usize = 8;

/// Names of what operators do, for the coverage.
pub const FAULTS: [&str; 12] = [
    "operator away",
    "operator limits",
    "operator behind",
    "operator branch",
    "operator alone",
    "operator lies",
    "operator refuses traces",
    "operator late traces",
    "operator wrong traces",
    "operator wrong balances",
    "traces late",
    "traces refused",
];

/// The fault's name.
const fn name(how: &How) -> &'static str {
    match how {
        How::Away => "operator away",
        How::Limits => "operator limits",
        How::Behind => "operator behind",
        How::Branch => "operator branch",
        How::Alone => "operator alone",
        How::Lies(_) => "operator lies",
        How::RefusesTraces => "operator refuses traces",
        How::LateTraces => "operator late traces",
        How::WrongTraces(_) => "operator wrong traces",
        How::WrongBalances => "operator wrong balances",
    }
}

impl Simulation {
    pub(super) fn operators(&mut self, faults: &Faults) {
        self.misbehave(faults.operator);
        self.hold_traces_up(faults.late_traces);
    }

    /// One operator of several begins to do what it should not.
    fn misbehave(&mut self, per_mille: u64) {
        let providers = self.plan.providers;
        let is_taken = self.ethereum_wire().misconduct.is_some();
        if !providers.is_quorum() || is_taken || !self.mischief.operators.chance(per_mille) {
            return;
        }
        let operator = *self.mischief.operators.pick(providers.operators).unwrap();
        let how = self.draw_misconduct();
        self.note(format_args!("fault: {operator}: {}", name(&how)));
        let random = self.mischief.operators.fork();
        self.ethereum_wire().misconduct = Some(Misconduct {
            operator,
            how,
            random,
            times: 0,
        });
        let span = self.mischief.operators.between(30_000, 40 * MINUTE);
        self.plan_in(span, Action::Behaves);
    }

    fn ethereum_wire(&self) -> std::sync::MutexGuard<'_, Wire> {
        self.stage.shared.wire(Which::Ethereum)
    }

    fn draw_misconduct(&mut self) -> How {
        let traces = self.plan.providers.tracing != Tracing::Balances;
        let way = self.mischief.operators.below(12);
        match way {
            0 => How::Away,
            1 => How::Limits,
            2 => {
                let by = u32::try_from(self.mischief.operators.below(12)).unwrap();
                self.stage.shared.world().ethereum.fall_apart(by);
                How::Behind
            }
            3 | 10 => {
                self.forge();
                How::Branch
            }
            4 | 11 => {
                self.forge();
                How::Alone
            }
            5 => How::Lies(Lie::draw(Which::Ethereum, &mut self.mischief.operators)),
            _ if !traces => How::WrongBalances,
            6 => How::RefusesTraces,
            7 => How::LateTraces,
            _ => How::WrongTraces(self.victims()),
        }
    }

    fn forge(&mut self) {
        let now = self.stage.clock.truth();
        let random = &mut self.mischief.operators;
        // Nobody leaves what a quorum held for one alone: mostly it goes on from there.
        let deepest = *random.pick(&[0, 0, 1, 12]).unwrap();
        let depth = u32::try_from(random.between(0, deepest)).unwrap();
        let more = u32::try_from(random.between(1, 8)).unwrap();
        let how = Forged {
            depth,
            grow: depth + more,
            share: *random.pick(&[0, 500, 1000]).unwrap(),
            is_final: random.chance(300),
        };
        self.stage.shared.world().ethereum.forge_apart(now, how);
    }

    fn victims(&self) -> Vec<Victim> {
        let in_ether = |order: &&Order| order.asset == "ETH";
        let orders = self.stage.orders.values().filter(in_ether);
        let mut orders: Vec<&Order> = orders.collect();
        orders.sort_by_key(|order| (order.id.len(), &order.id));
        let youngest = orders.into_iter().rev().take(VICTIMS);
        youngest
            .map(|order| (account(&order.to), order.amount))
            .collect()
    }

    /// The operator is as the others again.
    pub(super) fn behave(&mut self) {
        let misconduct = self.ethereum_wire().misconduct.take();
        self.stage.shared.world().ethereum.reunite();
        if let Some(misconduct) = misconduct.filter(|misconduct| misconduct.times > 0) {
            self.count(&format!("fault {}", name(&misconduct.how)));
        }
    }

    /// Traces come late from everybody, or not at all.
    fn hold_traces_up(&mut self, per_mille: u64) {
        let is_late = self.plan.providers.tracing == Tracing::Late;
        if !is_late || !self.mischief.operators.chance(per_mille) {
            return;
        }
        let random = &mut self.mischief.operators;
        let traces = if random.chance(500) {
            Traces::Late(random.fork())
        } else {
            Traces::Refused(*random.pick(&[-32_000, -32_005, -32_603]).unwrap())
        };
        // Nodes keep the state of 128 blocks: mostly it does not last so long.
        let most = if random.chance(200) { 300 } else { 90 };
        let blocks = random.between(1, most);
        let span = (blocks * self.plan.ethereum_block_ms).min(180 * MINUTE);
        self.note(format_args!("fault: {traces:?} for {blocks} blocks"));
        self.ethereum_wire().traces = traces;
        self.plan_in(span, Action::TracesCome);
    }

    /// Traces come as they should.
    pub(super) fn trace_again(&mut self) {
        let mut wire = self.ethereum_wire();
        let was = std::mem::replace(&mut wire.traces, Traces::AsTheyShould);
        let held_up = std::mem::take(&mut wire.held_up);
        drop(wire);
        match was {
            Traces::Late(_) if held_up > 0 => self.count("fault traces late"),
            Traces::Refused(_) if held_up > 0 => self.count("fault traces refused"),
            Traces::AsTheyShould | Traces::Late(_) | Traces::Refused(_) => {}
        }
    }
}
