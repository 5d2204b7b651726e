//! The two databases under other people's hands: readers, writers, kills, damage, a hundred thousand rows.

mod damage;
mod head;
mod load;
mod readers;
