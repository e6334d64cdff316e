//! How far a run is, as a bar on standard error: only in a terminal, and only for runs of more than a second.

use std::{
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    model::progress::{Progress, Step},
    ports::Watch,
};

/// A run that ends sooner shows no bar: nothing flickers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar moves.
const EVERY: Duration = Duration::from_millis(100);

/// A progress bar for one run. Gone from the screen when dropped.
pub struct Bar {
    name: String,
    terminal: bool,
    begun: Instant,
    drawn: Mutex<Option<Drawn>>,
}

struct Drawn {
    bar: ProgressBar,
    step: Step,
    bounded: bool,
    moved: Instant,
}

impl Bar {
    /// For a run of the sync of this name. Shows nothing when standard error is no terminal.
    pub fn new(name: &str) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        Self { name: name.to_owned(), terminal, begun: Instant::now(), drawn: Mutex::new(None) }
    }

    /// Takes the bar off the screen: what is printed next begins on a clean line.
    pub fn clear(&self) {
        if let Ok(mut drawn) = self.drawn.lock()
            && let Some(drawn) = drawn.take()
        {
            drawn.bar.finish_and_clear();
        }
    }

    fn show(&self, progress: Progress, now: Instant, target: impl FnOnce() -> ProgressDrawTarget) {
        // Two at once: the other one draws.
        let Ok(mut drawn) = self.drawn.try_lock() else { return };
        let bounded = progress.of.is_some_and(|of| of > 0);
        if drawn.is_none() {
            if now.saturating_duration_since(self.begun) < PATIENCE {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, target());
            bar.set_prefix(self.name.clone());
            bar.enable_steady_tick(EVERY);
            *drawn = Some(Drawn { bar, step: progress.step, bounded: !bounded, moved: now });
        }
        let Some(drawn) = drawn.as_mut() else { return };
        if drawn.step != progress.step || drawn.bounded != bounded {
            (drawn.step, drawn.bounded) = (progress.step, bounded);
            drawn.bar.reset();
            drawn.bar.set_style(style(progress.step, bounded));
            drawn.bar.set_message(words(progress.step));
        } else if now.saturating_duration_since(drawn.moved) < EVERY {
            return;
        }
        drawn.moved = now;
        match progress.of {
            Some(of) if bounded => drawn.bar.set_length(of),
            _ => drawn.bar.unset_length(),
        }
        drawn.bar.set_position(progress.done);
    }
}

impl Watch for Bar {
    fn at(&self, progress: Progress) {
        if self.terminal {
            self.show(progress, Instant::now(), || ProgressDrawTarget::stderr_with_hz(10));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

const fn words(step: Step) -> &'static str {
    match step {
        Step::Look => "looking",
        Step::Fetch => "fetching",
        Step::Read => "reading",
        Step::Compare => "comparing",
        Step::Apply => "applying",
        Step::Finish => "finishing",
    }
}

fn style(step: Step, bounded: bool) -> ProgressStyle {
    ProgressStyle::with_template(template(step, bounded)).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Bytes for Fetch and Read, numbers for the others; a bar where the end is known.
const fn template(step: Step, bounded: bool) -> &'static str {
    match (step, bounded) {
        (Step::Look | Step::Finish, _) => "{prefix}  {msg:9} {spinner}",
        (Step::Fetch | Step::Read, true) => {
            "{prefix}  {msg:9} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {eta} left"
        }
        (Step::Fetch | Step::Read, false) => "{prefix}  {msg:9} {spinner} {binary_bytes}",
        (Step::Compare | Step::Apply, true) => "{prefix}  {msg:9} [{bar:30}] {human_pos} of {human_len}, {eta} left",
        (Step::Compare | Step::Apply, false) => "{prefix}  {msg:9} {spinner} {human_pos}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 6] = [Step::Look, Step::Fetch, Step::Read, Step::Compare, Step::Apply, Step::Finish];

    #[test]
    fn every_template_is_one() {
        for step in STEPS {
            for bounded in [false, true] {
                assert!(ProgressStyle::with_template(template(step, bounded)).is_ok(), "{step:?}");
            }
        }
    }

    #[test]
    fn a_short_run_shows_nothing_and_a_long_one_each_step() {
        let bar = Bar::new("hr");
        let at = |millis, step, done, of| {
            let now = bar.begun + Duration::from_millis(millis);
            bar.show(Progress { step, done, of }, now, ProgressDrawTarget::hidden);
            let drawn = bar.drawn.lock().unwrap();
            drawn.as_ref().map(|d| (d.bar.message(), d.bar.position(), d.bar.length()))
        };
        assert_eq!(at(999, Step::Fetch, 10, Some(100)), None);
        assert_eq!(at(1000, Step::Fetch, 20, Some(100)), Some(("fetching".into(), 20, Some(100))));
        assert_eq!(at(1050, Step::Fetch, 25, Some(100)), Some(("fetching".into(), 20, Some(100))), "too soon");
        assert_eq!(at(1100, Step::Fetch, 30, Some(100)), Some(("fetching".into(), 30, Some(100))));
        assert_eq!(at(1110, Step::Compare, 5, None), Some(("comparing".into(), 5, None)), "a step shows at once");
        assert_eq!(at(1120, Step::Compare, 6, Some(9)), Some(("comparing".into(), 6, Some(9))));
        bar.clear();
        assert!(bar.drawn.lock().unwrap().is_none());
    }

    #[test]
    fn a_pipe_gets_nothing() {
        let mut bar = Bar::new("hr");
        bar.terminal = false;
        bar.begun -= PATIENCE;
        bar.at(Progress { step: Step::Read, done: 1, of: None });
        assert!(bar.drawn.lock().unwrap().is_none());
    }
}
