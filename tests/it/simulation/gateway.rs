//! The gateway and its customers within a simulation: orders come, and what they lead to is done
//! when it is due.

use super::{
    agenda::Action,
    customers::{self, Deed, Order, Story},
    run::Simulation,
    terms::Terms,
};
use confirmd::domain::time::UnixMs;

impl Simulation {
    pub(super) fn order(&mut self) {
        if self.settling {
            return;
        }
        let now = self.stage.clock.elapsed_ms();
        let n = u64::try_from(self.stage.orders.len()).unwrap();
        let mut story = customers::draw(n, now, self.plan.bitcoin_block_ms, &mut self.random);
        self.draw_terms(&mut story);
        self.count(&format!("habit {}", story.habit));
        let Order {
            id, asset, amount, ..
        } = &story.order;
        let line = format!("{id} for {amount} {asset}, {}", story.habit);
        self.note(line);
        let body = customers::registration(&story.order);
        let id = story.order.id.clone();
        self.stage.orders.insert(id.clone(), story.order);
        let register = Deed::Ask {
            kind: "register",
            body,
        };
        for (at, deed) in std::iter::once((story.registered_at, register)).chain(story.deeds) {
            self.deeds.push((id.clone(), deed));
            let deed = Action::Deed(self.deeds.len() - 1);
            self.agenda.plan(at, deed);
        }
        let every = self.plan.order_every_ms;
        let wait = self.random.between(1, 2 * every);
        self.plan_in(wait, Action::Order);
    }

    /// Some orders ask for terms of their own.
    fn draw_terms(&mut self, story: &mut Story) {
        let terms = &mut self.mischief.terms;
        if !terms.chance(self.plan.own_terms) {
            return;
        }
        let wait = story.registered_at - self.stage.clock.elapsed_ms();
        let registered_at = self.stage.clock.truth().0 + i64::try_from(wait).unwrap();
        story.order.terms = Terms::draw(story.order.which, UnixMs(registered_at), terms);
        for name in story.order.terms.said() {
            self.count(&format!("oddity {name}"));
        }
    }

    pub(super) fn deed(&mut self, n: usize) {
        let (id, deed) = self.deeds[n].clone();
        if self.settling {
            return;
        }
        self.note(format_args!("{id}: {deed:?}"));
        if let Deed::Ask { kind, body } = &deed {
            let seq = i64::try_from(self.stage.inbox.len()).unwrap() + 1;
            let now = self.stage.clock.truth();
            let body = customers::command_body(kind, body, now, &mut self.random);
            self.stage
                .inbox
                .push(customers::row(seq, kind, &id, body, now));
            let wait = self.random.between(1, 2_000);
            self.plan_in(wait, Action::ReadInbox);
            return;
        }
        let now = self.stage.clock.truth();
        let last = self.last_paid.get(&id).copied();
        let order = self.stage.orders[&id].clone();
        let paid = {
            let mut world = self.stage.shared.world();
            customers::act(world.side_mut(order.which), &order, last, &deed, now)
        };
        if let Some(txid) = paid {
            self.last_paid.insert(id, txid);
        }
    }
}
