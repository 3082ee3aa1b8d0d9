//! An explanation in words.

use std::fmt::Write as _;

use super::why::odds;
use super::{Cluster, Explanation, History, Placement};
use crate::suspects::Doubt;

/// The text for people; ends with a line end.
pub(super) fn text(explanation: &Explanation) -> String {
    let Explanation { id, path, label, class, history, list, cluster, .. } = explanation;
    let mut lines = vec![("image", format!("#{id}  {path}")), ("label", named(*label, class.as_deref()))];
    lines.push(("lists", visits(history, list)));
    lines.push(("model", model(history)));
    if history.last_scored.is_some() {
        lines.push(("streak", format!("scans in a row that found it wrong: {}", history.streak)));
    }
    lines.extend(history.mean_p_label.map(|mean| {
        ("mean", format!("p(label) {mean:.4} on average over {} models that have scored it", history.times_scored))
    }));
    lines.extend(history.doubt.map(|doubt| {
        let against = if doubt == Doubt::MixedUp.word() {
            "it is taken for a class that its own is mixed up with"
        } else {
            "hardly any model believes it"
        };
        ("suspect", format!("its label is probably wrong: {against}"))
    }));
    lines.extend(history.review.map(|verdict| ("review", format!("a person has said {verdict}"))));
    lines.extend(history.inclusion.map(|probability| {
        ("scan", format!("the last scan that it was a candidate of came to it with probability {}", shown(probability)))
    }));
    lines.extend(history.chosen.map(|probability| {
        ("chance", format!("into the last list that has it, it came with probability {}", shown(probability)))
    }));
    lines.push(("now", placed(list)));
    lines.extend(explanation.duplicate_of.as_ref().map(|twin| {
        let (id, label, path) = (twin.id, named(twin.label, twin.class.as_deref()), &twin.path);
        ("twin", format!("to the model of epoch {} nearly the same as #{id}, label {label}, {path}", twin.epoch))
    }));
    lines.push(("cluster", cluster.as_ref().map_or_else(|| "none that is known".to_owned(), grouped)));
    let mut text = String::new();
    for (name, line) in lines {
        let _ = writeln!(text, "{name:<9} {line}");
    }
    for mate in cluster.iter().flat_map(|cluster| &cluster.mates) {
        let predicted = mate.predicted.map_or_else(|| "-".to_owned(), |predicted| predicted.to_string());
        let label = named(mate.label, mate.class.as_deref());
        let _ = writeln!(text, "          #{}  label {label}  predicted {predicted}  {}", mate.id, mate.path);
    }
    text
}

fn named(label: u32, class: Option<&str>) -> String {
    class.map_or_else(|| label.to_string(), |class| format!("{label} ({class})"))
}

fn shown(probability: f32) -> String {
    odds(f64::from(probability))
}

fn visits(history: &History, list: &Placement) -> String {
    let Some(last) = history.last_trained else { return "it was never on a list".to_owned() };
    let times = match history.visits {
        1 => "on one list so far".to_owned(),
        visits => format!("on {visits} lists so far"),
    };
    // A list counts from its commit on.
    let pending = if list.listed && list.status == Some("committed") { ", which is yet to be trained on" } else { "" };
    format!("{times}, the last that of epoch {last}{pending}")
}

fn model(history: &History) -> String {
    let Some(epoch) = history.last_scored else { return "it was never scored".to_owned() };
    let Some(answer) = &history.answer else {
        let reason = history.unreadable.as_deref().unwrap_or_default();
        return format!("that of epoch {epoch} was to score it, but the image could not be read: {reason}");
    };
    format!(
        "that of epoch {epoch} took it for {}, {}: p(label) {:.4}, confidence {:.4}, margin {:.4}, loss {:.4}",
        named(answer.predicted, answer.class.as_deref()),
        if answer.right { "rightly" } else { "wrongly" },
        answer.p_label,
        answer.confidence,
        answer.margin,
        answer.loss
    )
}

fn placed(list: &Placement) -> String {
    let reason = list.reason.as_ref().map(|reason| reason.text.as_str()).unwrap_or_default();
    let Some(epoch) = list.epoch else { return reason.to_owned() };
    if !list.listed {
        return format!("not on the list of epoch {epoch}: {reason}");
    }
    match &list.row {
        None => format!("on the list of epoch {epoch}; {reason}"),
        Some(row) => format!(
            "on the list of epoch {epoch}, line {} of {}: stratum {}, weight {}",
            row.order + 1,
            list.size.unwrap_or_default(),
            row.stratum,
            row.weight
        ),
    }
}

fn grouped(cluster: &Cluster) -> String {
    format!(
        "{}, as which {} other images of the pool were last grouped too, {} with the same label and {} with another",
        cluster.number, cluster.others, cluster.same_label, cluster.other_label
    )
}
