//! The values of a payload as a tree that opens and closes; what is closed is not drawn.

use std::rc::Rc;

use web_sys::HtmlDetailsElement;
use yew::prelude::*;

use crate::catalogue::fill;
use crate::components::{Icon, Symbol};
use crate::route::Route;
use crate::services::locale::Locale;
use crate::state::tree::{Node, push_pointer};

/// Branches above this depth are open at first.
const OPEN_DEPTH: usize = 2;

/// Values of one branch that are drawn before a person asks for more.
const SHOWN_MAX: usize = 100;

/// Props of [`TreeView`].
#[derive(Clone, PartialEq, Properties)]
pub struct TreeViewProps {
    /// The value.
    pub node: Rc<Node>,
    /// The topic whose numbers have charts by their path.
    pub chart_topic: AttrValue,
    /// The person's language.
    pub locale: Locale,
}

/// The tree.
#[component]
pub fn TreeView(props: &TreeViewProps) -> Html {
    let frame = Frame { chart_topic: props.chart_topic.clone(), locale: props.locale.clone() };
    html! {
        <div class="tree" data-testid="detail-tree">
            if props.node.is_branch() {
                <Values {frame} node={(*props.node).clone()} path={AttrValue::default()} depth={0} />
            } else {
                {leaf(&frame, "", &props.node, "")}
            }
        </div>
    }
}

#[derive(Clone, PartialEq)]
struct Frame {
    chart_topic: AttrValue,
    locale: Locale,
}

#[derive(Clone, PartialEq, Properties)]
struct ValuesProps {
    frame: Frame,
    node: Node,
    path: AttrValue,
    depth: usize,
}

/// What stands inside a branch.
#[component]
fn Values(props: &ValuesProps) -> Html {
    let shown = use_state_eq(|| SHOWN_MAX);
    let hidden = props.node.count().saturating_sub(*shown);
    let values = props.node.children().take(*shown).map(|(name, node)| {
        let mut path = props.path.to_string();
        push_pointer(&mut path, &name);
        let inner = if node.is_branch() && node.count() > 0 {
            let path = AttrValue::from(path.clone());
            html! {
                <Branch frame={props.frame.clone()} {name} node={node.clone()} {path} depth={props.depth + 1} />
            }
        } else {
            leaf(&props.frame, &name, node, &path)
        };
        html! { <li key={path}>{inner}</li> }
    });
    let more = {
        let (shown, next) = (shown.setter(), *shown * 4);
        Callback::from(move |_: MouseEvent| shown.set(next))
    };
    html! {
        <>
            <ul class="tree__list">{for values}</ul>
            if hidden > 0 {
                <button type="button" class="button button--quiet" onclick={more}>
                    {fill(props.frame.locale.catalogue().tree_more, &[("count", &props.frame.locale.count(hidden as u64))])}
                </button>
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct BranchProps {
    frame: Frame,
    name: String,
    node: Node,
    path: AttrValue,
    depth: usize,
}

/// A value with others inside, under its name.
#[component]
fn Branch(props: &BranchProps) -> Html {
    let open = use_state_eq(|| props.depth < OPEN_DEPTH);
    let ontoggle = {
        let open = open.setter();
        Callback::from(move |event: Event| {
            if let Some(details) = event.target_dyn_into::<HtmlDetailsElement>() {
                // The toggle of a branch inside bubbles in no browser, so this is this branch's own.
                open.set(details.open());
            }
        })
    };
    html! {
        <details class="tree__branch" open={*open} {ontoggle}>
            <summary class="tree__summary" title={props.path.clone()}>
                <span class="tree__name">{&props.name}</span>
                <span class="tree__count">{props.node.leaf()}</span>
            </summary>
            if *open {
                <Values frame={props.frame.clone()} node={props.node.clone()} path={props.path.clone()}
                    depth={props.depth} />
            }
        </details>
    }
}

/// One value; a number leads to its chart.
fn leaf(frame: &Frame, name: &str, node: &Node, path: &str) -> Html {
    let kind = match node {
        Node::Null => "null",
        Node::Bool(_) => "bool",
        Node::Number(_) => "number",
        Node::Text(_) => "text",
        Node::Bytes(_) => "bytes",
        Node::List(_) | Node::Map(_) => "empty",
    };
    html! {
        <span class="tree__leaf" title={path.to_owned()} data-path={path.to_owned()}>
            <span class="tree__name">{name}</span>
            <span class={format!("tree__value tree__value--{kind}")}>{node.leaf()}</span>
            if kind == "number" {
                <a class="tree__chart" href={Route::Chart(Some(frame.chart_topic.to_string()), path.to_owned()).href()}
                    aria-label={fill(frame.locale.catalogue().tree_chart, &[("name", name)])}>
                    <Icon symbol={Symbol::Chart} />
                </a>
            }
        </span>
    }
}
