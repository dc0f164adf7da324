//! The metrics over a log in memory.

mod catalogue;
mod documentation;
mod moments;
mod prometheus;
mod scrapes;
mod world;
