//! The daemon's process ends at any moment, as by a power cut or a full disk, and nothing is lost, told twice
//! or told otherwise.

mod deaths;
mod full_disk;
mod load;
mod nodes;
mod reading;
mod same;
mod world;
