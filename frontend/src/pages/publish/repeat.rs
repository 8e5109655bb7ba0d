//! Sends the form again and again.

use yew::prelude::*;

use super::form::{Form, use_form};
use crate::catalogue::fill;
use crate::components::Field;
use crate::hooks::use_watch;
use crate::services::publisher::Publisher;
use crate::state::repeat::{Phase, Plan, PlanError, Run};

/// How often and how fast, and how far it has come.
#[component]
pub(super) fn Repeat() -> Html {
    let form = use_form();
    let words = form.words;
    let times = use_state_eq(|| "10".to_owned());
    let every = use_state_eq(|| "1000".to_owned());
    let complaint = use_state_eq(|| None::<PlanError>);
    let run = use_watch((), |hub, ()| Publisher::of(hub).run());
    let is_running = run.is_some_and(|run| run.phase == Phase::Running);
    let on_start = {
        let (form, complaint) = (form.clone(), complaint.setter());
        let plan = Plan::parse(&times, &every);
        Callback::from(move |_: MouseEvent| {
            complaint.set(plan.err());
            if let Ok(plan) = plan {
                form.publisher.begin(&form.hub, plan);
            }
        })
    };
    let on_stop = {
        let form = form.clone();
        Callback::from(move |_: MouseEvent| form.publisher.stop(&form.hub))
    };
    let (times_set, every_set) = (times.setter(), every.setter());
    html! {
        <details class="fold" data-testid="publish-repeat">
            <summary class="fold__title">{words.repeat}</summary>
            <div class="fold__body">
                <Field id="repeat-times" label={words.repeat_times} value={(*times).clone()} inputmode={Some("numeric")}
                    on_input={Callback::from(move |typed| times_set.set(typed))} />
                <Field id="repeat-every" label={words.repeat_every} value={(*every).clone()} inputmode={Some("numeric")}
                    on_input={Callback::from(move |typed| every_set.set(typed))} />
                <div class="actions">
                    if is_running {
                        <button type="button" class="button button--primary" onclick={on_stop} data-testid="repeat-stop">
                            {words.repeat_stop}</button>
                    } else {
                        <button type="button" class="button" onclick={on_start} data-testid="repeat-start">
                            {words.repeat_start}</button>
                    }
                </div>
                <p role="status" class={if complaint.is_some() { "field__hint" } else { "card__note" }}
                    data-testid="repeat-counts" data-state={run.map(|run| run.phase.as_str())}>
                    {match (*complaint, run) {
                        (Some(PlanError::Times), _) => words.repeat_bad_times.to_owned(),
                        (Some(PlanError::Every), _) => words.repeat_bad_every.to_owned(),
                        (None, Some(run)) => counts(&form, &run),
                        (None, None) => String::new(),
                    }}
                </p>
            </div>
        </details>
    }
}

fn counts(form: &Form, run: &Run) -> String {
    let count = |count: u32| form.locale.count(u64::from(count));
    let numbers = fill(
        form.words.repeat_counts,
        &[
            ("sent", &count(run.sent)),
            ("times", &count(run.plan.times)),
            ("acknowledged", &count(run.acknowledged)),
            ("unheard", &count(run.unheard)),
            ("failed", &count(run.failed)),
        ],
    );
    let [running, done, stopped, broken] = form.words.repeat_phases;
    let phase = match run.phase {
        Phase::Running => running,
        Phase::Done => done,
        Phase::Stopped => stopped,
        Phase::Broken => broken,
    };
    format!("{phase} {numbers}")
}
