//! The filters with their letters, what the broker granted, and how much each has brought.

use yew::prelude::*;

use super::follow::{Follow, use_follow};
use crate::catalogue::{fill, reason};
use crate::components::{Icon, Symbol};
use crate::hooks::use_watch;
use crate::services::subscriber::Subscriber;
use crate::state::filters::{Filter, State, letter};

/// The list.
#[component]
pub(super) fn FilterList() -> Html {
    let follow = use_follow();
    let words = follow.words;
    use_watch((), |hub, ()| {
        let subscriber = Subscriber::of(hub);
        let filters = subscriber.filters();
        let local = filters.iter().filter(|filter| hub.connection().is_local(filter.id)).count();
        let hidden: Vec<bool> =
            filters.iter().map(|filter| subscriber.stream().is_hidden(filter.mark)).collect();
        (filters.changes(), subscriber.told(hub).revision, local, hidden)
    });
    let filters = follow.subscriber.filters();
    html! {
        if filters.iter().len() == 0 {
            <p class="card__note">{words.filters_none}</p>
        } else {
            <ul class="filters" aria-label={words.filters}>{for filters.iter().map(|filter| item(&follow, filter))}</ul>
        }
    }
}

fn item(follow: &Follow, filter: &Filter) -> Html {
    let words = follow.words;
    let state = match filter.state {
        State::Offline => words.state_offline.to_owned(),
        State::Asked(_) => words.state_asked.to_owned(),
        State::Granted(qos) => fill(words.state_granted, &[("qos", &qos.bits().to_string())]),
        State::Refused(code) => fill(words.state_refused, &[("reason", &reason(code))]),
    };
    let name = filter.subscription.filter.as_str().to_owned();
    let remove = {
        let (follow, id) = (follow.clone(), filter.id);
        Callback::from(move |_: MouseEvent| follow.subscriber.remove(&follow.hub, id))
    };
    let count = fill(words.brought, &[("count", &follow.locale.count(filter.count))]);
    let own_too = follow.hub.connection().is_local(filter.id).then(|| words.own_too.to_owned());
    let is_hidden = follow.subscriber.stream().is_hidden(filter.mark);
    let toggle = {
        let (follow, mark) = (follow.clone(), filter.mark);
        Callback::from(move |_: MouseEvent| {
            follow.subscriber.change(&follow.hub, |stream| stream.set_hidden(mark, !is_hidden));
        })
    };
    let hidden = is_hidden.then(|| words.hidden.to_owned());
    let facts =
        [Some(state), Some(count), own_too, hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    html! {
        <li class="filters__item" key={filter.id} data-testid="filter" data-filter={name.clone()}
            data-state={filter.state.as_str()} data-count={filter.count.to_string()}>
            <button type="button" class="filters__show" onclick={toggle} aria-pressed={(!is_hidden).to_string()}
                aria-label={fill(words.show_of, &[("filter", &name)])} data-testid="filter-show">
                <span class="mark" data-mark={filter.mark.to_string()}>{letter(filter.mark)}</span>
            </button>
            <span class="filters__name">{&name}</span>
            <span class="filters__facts">{facts}</span>
            <button type="button" class="button button--quiet" onclick={remove} data-testid="filter-remove"
                aria-label={fill(words.unsubscribe, &[("filter", &name)])}><Icon symbol={Symbol::Close} /></button>
        </li>
    }
}
