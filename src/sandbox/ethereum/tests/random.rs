//! Seeded histories: every block of every branch, and the same history twice.

use super::*;
use crate::random::Random;

/// Makes blocks at random, with forks of up to five blocks, transactions that move to other
/// branches and everything that a transaction can do.
struct History {
    random: Random,
    chain: Chain,
    senders: Vec<Sender>,
    /// Of the last blocks, for other branches.
    recent: Vec<Tx>,
    head: BlockHash,
    made: Vec<BlockRef>,
}

impl History {
    fn new(seed: u64) -> Self {
        let chain = chain();
        Self {
            random: Random::new(seed),
            head: chain.genesis().id.hash,
            chain,
            senders: (0..4).map(|number| Sender::new(CHAIN_ID, number)).collect(),
            recent: Vec::new(),
            made: Vec::new(),
        }
    }

    fn step(&mut self) -> BlockRef {
        let back = if self.random.chance(150) {
            self.random.between(1, 5)
        } else {
            0
        };
        let back = usize::try_from(back).unwrap();
        let below = self.chain.tree().down_from(self.head).nth(back);
        let parent = below.map_or(self.chain.genesis(), Linked::reference);
        let transactions: Vec<Tx> = (0..self.random.below(9)).map(|_| self.tx()).collect();
        self.recent.extend(transactions.iter().cloned());
        let surplus = self.recent.len().saturating_sub(20);
        self.recent.drain(..surplus);
        let withdrawals = vec![(SHOP, self.random.below(100))];
        let contents = Contents {
            transactions,
            withdrawals,
        };
        let at = parent.time.plus(SpanMs(12_000));
        let block = self.chain.extend(parent.id.hash, at, contents).unwrap();
        self.head = block.id.hash;
        self.made.push(block);
        block
    }

    fn tx(&mut self) -> Tx {
        if self.random.chance(100) && !self.recent.is_empty() {
            return self.random.pick(&self.recent).unwrap().clone();
        }
        let intent = self.intent();
        let kind = *self.random.pick(&Kind::ALL).unwrap();
        let which = usize::try_from(self.random.below(4)).unwrap();
        let tx = self.senders[which].sign(intent.of_kind(kind));
        if self.random.chance(100) {
            tx.failing()
        } else {
            tx
        }
    }

    fn account(&mut self) -> [u8; 20] {
        let sender = self.senders[0].address();
        *self.random.pick(&[SHOP, OTHER, CONTRACT, sender]).unwrap()
    }

    fn intent(&mut self) -> Intent {
        let token = *self.random.pick(&[USDT, USDC, FAKE, CONTRACT]).unwrap();
        let (to, from) = (self.account(), self.account());
        let amount = units(self.random.below(20_000));
        match self.random.below(11) {
            0 | 1 => Intent::ether(to, amount),
            2 | 3 => Intent::token(token, to, amount),
            4 => Intent::token_from(token, from, to, U256::ZERO),
            5 => {
                let one = |token, to| Move {
                    token,
                    from: Some(from),
                    to,
                    amount,
                };
                Intent::tokens(CONTRACT, vec![one(token, to), one(USDC, SHOP)])
            }
            6 => {
                let shape = *self.random.pick(&LogShape::MALFORMED).unwrap();
                Intent::odd_log(token, shape, to, amount).with_value(amount)
            }
            7 => Intent::forged_log(token, CONTRACT, LogShape::Proper, to, amount),
            8 => Intent::batch(CONTRACT, vec![self.frame(), self.frame()]),
            9 => Intent::create(amount, vec![self.frame()]),
            _ => {
                let change = self.change();
                Intent::administer(token, change)
            }
        }
    }

    fn frame(&mut self) -> Frame {
        let to = self.account();
        let value = units(self.random.below(5));
        let frame = match self.random.below(4) {
            0 => Frame::delegate_call(to, value).with(vec![Frame::call(SHOP, value)]),
            1 => Frame::self_destruct(to, value),
            _ => Frame::call(to, value),
        };
        if self.random.chance(250) {
            frame.reverted()
        } else {
            frame
        }
    }

    fn change(&mut self) -> Change {
        let account = self.account();
        match self.random.below(6) {
            0 => Change::Fee {
                basis_points: 10,
                maximum: units(15),
            },
            1 => Change::Blacklist(account),
            2 => Change::Pause,
            3 => Change::Unblacklist(account),
            _ => Change::Unpause,
        }
    }
}

#[tokio::test]
async fn every_block_of_random_histories_is_verified_and_credits_what_it_says() {
    for seed in [1, 2] {
        let mut history = History::new(seed);
        for _ in 0..100 {
            history.step();
        }
        let History { chain, made, .. } = history;
        let mut rig = Rig::on(chain).await;
        let mut kinds = std::collections::BTreeSet::new();
        for block in made {
            {
                let World { chain, view } = &mut *rig.world();
                view.set_head(chain, block.id.hash);
                kinds.extend(rig_kinds(chain, block));
            }
            rig.agrees(block, &format!("seed {seed}, {:?}", block.id))
                .await;
        }
        assert_eq!(kinds.len(), 3, "every kind of credit occurs");
    }
}

fn rig_kinds(chain: &Chain, block: BlockRef) -> Vec<CreditKind> {
    let credits = chain.block(block.id.hash).unwrap().credits.iter();
    credits.map(|credit| credit.kind).collect()
}

#[test]
fn the_same_calls_give_the_same_blocks() {
    let blocks = |seed| {
        let mut history = History::new(seed);
        (0..50).map(|_| history.step()).collect::<Vec<_>>()
    };
    assert_eq!(blocks(7), blocks(7));
    assert_ne!(blocks(7), blocks(8));
    let genesis = |chain_id, at| Chain::new(chain_id, at, Vec::new()).genesis().id.hash;
    let other_time = START.plus(SpanMs(1_000));
    assert_ne!(genesis(1, START), genesis(2, START));
    assert_ne!(genesis(1, START), genesis(1, other_time));
}
