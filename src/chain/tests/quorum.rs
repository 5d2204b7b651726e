//! Three operators of whom one lies, whoever is down meanwhile: the real follower over the real source.

use crate::{
    chain::{
        ChainInput,
        ethereum::{
            EthereumSource, Network,
            fake_node::{FakeNode, error},
            verify::header_ref,
        },
        follower::{
            Follower, Options, Standing, Start,
            testing::{Recorder, SteppingClock, options},
        },
        rpc::{Auth, Client, MemoryTransport, silent},
    },
    clock::Clock,
    domain::block::{BlockHash, BlockRef, Height},
    random::Random,
};
use std::{collections::HashSet, sync::Arc};

const SEEDS: u64 = 120;
const TURNS: u32 = 40;
const LIAR: usize = 0;
const EXTRAS: [&str; 4] = ["a", "b", "c", "d"];

struct World {
    nodes: [FakeNode; 3],
    follower: Follower<EthereumSource<MemoryTransport>, Recorder>,
    watcher: Recorder,
    dice: Random,
    is_down: [bool; 3],
    /// Whatever an honest node ever held.
    honest: HashSet<BlockHash>,
    /// How often something was agreed on, and how often that was lost.
    seen: [u32; 2],
    /// What was agreed on last.
    agreed: Option<BlockRef>,
}

impl World {
    fn new(seed: u64) -> Self {
        let nodes = [FakeNode::new(), FakeNode::new(), FakeNode::new()];
        for node in &nodes {
            node.mine_empty(6, "common");
        }
        let clock: Arc<dyn Clock> = Arc::new(SteppingClock::default());
        let client = |(node, name): (&FakeNode, &str)| {
            let clock = Arc::clone(&clock);
            Client::new(name, node.transport(), Auth::None, clock, silent())
        };
        let names = ["liar", "one", "other"];
        let clients = nodes.iter().zip(names).map(client).collect();
        let network = Network {
            chain_id: 31_337,
            genesis: None,
        };
        let source = EthereumSource::over(clients, network, Vec::new(), Arc::clone(&clock));
        let operators = names.map(str::to_owned).to_vec();
        let watcher = Recorder::default();
        let options = Options {
            quorum: 2,
            ..options()
        };
        let follower = Follower::new(
            source.with_quorum(2, operators),
            watcher.clone(),
            clock,
            options,
            Start::default(),
        );
        let mut world = Self {
            nodes,
            follower,
            watcher,
            dice: Random::new(seed),
            is_down: [false; 3],
            honest: HashSet::new(),
            seen: [0; 2],
            agreed: None,
        };
        world.remember();
        world
    }

    fn remember(&mut self) {
        for node in &self.nodes[1..] {
            let state = node.state();
            self.honest
                .extend(state.chain.iter().map(|built| BlockHash(built.hash.0)));
        }
    }

    /// Something happens to somebody.
    fn turn(&mut self) {
        let extra = *self.dice.pick(&EXTRAS).unwrap();
        match self.dice.below(8) {
            0 | 1 => self.mine(1, extra),
            2 => self.reorganise(extra),
            3 => self.lag(),
            4 => self.lie(extra),
            5 => self.nodes[LIAR].state().chain = self.chain_of(1),
            _ => self.fall_or_rise(),
        }
        self.remember();
    }

    fn chain_of(&self, at: usize) -> Vec<crate::chain::ethereum::fixture::Built> {
        self.nodes[at].state().chain.clone()
    }

    fn mine(&mut self, blocks: usize, extra: &'static str) {
        self.nodes[1].mine_empty(blocks, extra);
        let chain = self.chain_of(1);
        self.nodes[2].state().chain = chain;
    }

    /// The honest ones change their minds, at once.
    fn reorganise(&mut self, extra: &'static str) {
        let depth = 1 + usize::try_from(self.dice.below(2)).unwrap();
        self.nodes[1].roll_back(depth);
        self.mine(depth + 1, extra);
    }

    /// One honest node has not heard of the last blocks.
    fn lag(&mut self) {
        let blocks = usize::try_from(self.dice.below(3)).unwrap();
        let mut chain = self.chain_of(1);
        chain.truncate(chain.len() - blocks);
        self.nodes[2].state().chain = chain;
    }

    /// The liar makes a branch of its own: from below the honest tip, or on top of its last one.
    fn lie(&mut self, extra: &'static str) {
        if self.dice.chance(500) {
            let depth = usize::try_from(self.dice.below(4)).unwrap();
            let mut chain = self.chain_of(1);
            chain.truncate(chain.len() - depth);
            self.nodes[LIAR].state().chain = chain;
        }
        let most = if self.dice.chance(50) { 400 } else { 9 };
        let blocks = 1 + usize::try_from(self.dice.below(most)).unwrap();
        let forged = ["forged a", "forged b", "forged c", "forged d"];
        let at = EXTRAS.iter().position(|other| *other == extra).unwrap();
        self.nodes[LIAR].mine_empty(blocks, forged[at]);
    }

    fn fall_or_rise(&mut self) {
        let at = usize::try_from(self.dice.below(3)).unwrap();
        self.is_down[at] = !self.is_down[at];
        if self.is_down[at] {
            self.nodes[at].fault("", error(-32603, "is down"));
        } else {
            self.nodes[at].heal();
        }
    }

    /// Polls once; whatever is agreed on then is held by somebody honest.
    async fn poll(&mut self) -> Option<Standing> {
        let standing = self.follower.poll_once().await.ok();
        for input in self.watcher.inputs() {
            if let ChainInput::Advance {
                disconnect_to: Some(fork),
                connected,
            } = &input
                && let Some(agreed) = self.agreed.filter(|block| block.id.height > fork.id.height)
            {
                let first = connected.first().map(|facts| facts.block.id.hash);
                let is_honest = first.is_some_and(|hash| self.honest.contains(&hash));
                assert!(is_honest, "{agreed:?} left for a lie");
                self.agreed = Some(*fork);
            }
            if let ChainInput::Agreed { block, lost } = input {
                let hash = block.map(|block| block.id.hash);
                let is_honest = hash.is_none_or(|hash| self.honest.contains(&hash));
                assert!(is_honest, "a lie is agreed on: {block:?}");
                self.seen[0] += u32::from(block.is_some());
                self.seen[1] += u32::from(lost.is_some());
                self.agreed = block;
            }
        }
        standing
    }
}

// shows: P7
#[tokio::test]
async fn no_lie_is_agreed_on_and_honest_ones_are_followed_within_two_polls() {
    let mut seen = [0; 2];
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..TURNS {
            world.turn();
            for _ in 0..=world.dice.below(4) {
                world.poll().await;
            }
        }
        // Everybody is back; the liar goes on with what it says.
        for node in &world.nodes {
            node.heal();
        }
        world.mine(1, "end");
        world.remember();
        let tip = world.chain_of(1).pop().unwrap();
        let height = Height(u32::try_from(tip.header.number).unwrap());
        let tip = header_ref(&tip.block.to_string(), height).unwrap();
        let mut polls = 0;
        while world.agreed != Some(tip) {
            polls += 1;
            assert!(
                polls <= 2,
                "seed {seed}: agreed on {:?}, tip {tip:?}",
                world.agreed
            );
            world.poll().await;
        }
        assert_eq!(world.watcher.tip(), tip, "seed {seed}");
        seen = [seen[0] + world.seen[0], seen[1] + world.seen[1]];
    }
    assert!(seen[0] > 1_000 && seen[1] > 300, "{seen:?}");
}
