//! Tables: a world is driven decision by decision, each effect carried out as the engine would; what was decided is told in
//! words.

mod asking;
mod deliver;
mod finish;
mod overdue;
mod probes;
mod requests;
mod runs;
mod slots;
mod world;

const DAILY: &str = "schedule: {daily: {at: '01:00'}}";
const EVERY: &str = "schedule: {every: 10m, startingDeadline: 10m}";
