//! A run and its control beside each other.

use std::fmt::Write as _;

use serde::Serialize;

use super::account::Account;

/// Points of the grid of cost.
const POINTS: u32 = 10;

/// Both accounts, validation accuracy at equal costs, and who is ahead. The names are the keys of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Beside {
    run: Account,
    control: Account,
    grid: Vec<Point>,
    verdict: Verdict,
}

/// The last validation of each within a cost.
#[derive(Debug, Serialize)]
struct Point {
    /// In full-data epochs.
    cost: f64,
    run: Option<f64>,
    control: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Verdict {
    /// `run`, `control`, `neither`, or nothing where there is nothing to compare.
    ahead: Option<&'static str>,
    /// What was compared: `test_accuracy`, or `best_validation_accuracy` where one of them has no other.
    measure: &'static str,
    /// By how many percentage points.
    points: Option<f64>,
    text: String,
    notes: Vec<String>,
}

impl Beside {
    pub(super) fn new(run: Account, control: Account) -> Self {
        let grid = (1..=POINTS)
            .map(|point| {
                let cost = run.spent() * f64::from(point) / f64::from(POINTS);
                Point { cost, run: run.accuracy_at(cost), control: control.accuracy_at(cost) }
            })
            .collect();
        Self { verdict: verdict(&run, &control), run, control, grid }
    }

    /// The tables and the sentence for people; ends with a line end.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{:<26} {:>12} {:>12}\n", "", "run", "control");
        let mut line = |name: &str, of: &dyn Fn(&Account) -> String| {
            let _ = writeln!(text, "{name:<26} {:>12} {:>12}", of(&self.run), of(&self.control));
        };
        let cost = |value: f64| format!("{value:.3}");
        let seconds = |value: f64| format!("{value:.1}");
        line("policy", &|account| account.policy.to_owned());
        line("seed", &|account| account.seed.to_string());
        line("cost, full-data epochs", &|account| cost(account.cost.total));
        line("  training", &|account| cost(account.cost.training));
        line("  scanning", &|account| cost(account.cost.scanning));
        line("epochs", &|account| account.epochs.to_string());
        line("best validation accuracy", &|account| accuracy(account.best_validation_accuracy));
        line("  in epoch", &|account| account.best_epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string()));
        line("test accuracy", &|account| accuracy(account.test_accuracy));
        line("wall time, s", &|account| seconds(account.wall_s.total));
        line("  training", &|account| seconds(account.wall_s.training));
        line("  scanning", &|account| seconds(account.wall_s.scanning));
        line("  clustering", &|account| seconds(account.wall_s.clustering));
        line("  selecting", &|account| seconds(account.wall_s.selecting));
        let _ = writeln!(text, "\nvalidation accuracy at a cost of");
        for Point { cost, run, control } in &self.grid {
            let _ = writeln!(text, "{:<26} {:>12} {:>12}", format!("  {cost:.3}"), accuracy(*run), accuracy(*control));
        }
        let _ = writeln!(text, "\n{}", self.verdict.text);
        for note in &self.verdict.notes {
            let _ = writeln!(text, "{note}");
        }
        text
    }
}

fn accuracy(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

fn verdict(run: &Account, control: &Account) -> Verdict {
    let (measure, name, pair) = match (run.test_accuracy, control.test_accuracy) {
        (Some(run), Some(control)) => ("test_accuracy", "test accuracy", Some((run, control))),
        _ => {
            let pair = run.best_validation_accuracy.zip(control.best_validation_accuracy);
            ("best_validation_accuracy", "best validation accuracy", pair)
        }
    };
    let notes = notes(run, control);
    let Some((ours, theirs)) = pair else {
        let text = "one of them was never validated, so there is nothing to compare".to_owned();
        return Verdict { ahead: None, measure, points: None, text, notes };
    };
    let points = 100.0 * (ours - theirs).abs();
    let both = format!("{:.2}% against {:.2}%", 100.0 * ours.max(theirs), 100.0 * ours.min(theirs));
    let (ahead, text) = if ours == theirs {
        ("neither", format!("{} and the control are level in {name}, at {:.2}%", run.policy, 100.0 * ours))
    } else {
        let (ahead, who) = if ours > theirs {
            ("run", run.policy.to_owned())
        } else {
            ("control", "the control (uniform)".to_owned())
        };
        (ahead, format!("{who} is ahead by {points:.2} points of {name}, {both}"))
    };
    let text = format!("{text}, at the same cost; one run each cannot tell that from chance, several seeds can.");
    Verdict { ahead: Some(ahead), measure, points: Some(points), text, notes }
}

fn notes(run: &Account, control: &Account) -> Vec<String> {
    let mut notes = Vec::new();
    if run.seed != control.seed {
        notes.push(format!(
            "The seeds differ (run {}, control {}): that alone makes a difference.",
            run.seed, control.seed
        ));
    }
    if run.ended_early {
        notes.push(format!(
            "The run was ended by {}: its learning rate had not come down to the end of a plan, that of the control had, \
             which is to the control's advantage.",
            run.ended_by
        ));
    }
    if run.reviews > 0 {
        notes.push(format!(
            "A person's reviews ({} in the run) hold in the control from its first list on, in the run from the list that \
             followed them.",
            run.reviews
        ));
    }
    notes
}
