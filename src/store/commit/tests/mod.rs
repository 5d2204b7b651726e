//! Steps that are committed, refused and interrupted.

mod chains;
mod crashes;
mod guards;
mod keeps;
mod registers;
mod requests;
mod round_trip;
