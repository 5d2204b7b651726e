//! The daemon's process ends at any moment, as by a power cut or a full disk, and nothing is lost, told twice
//! or told otherwise.

mod bad_disk;
mod deaths;
mod full_disk;
mod load;
mod nodes;
mod reading;
mod same;
mod small_disk;
mod world;
