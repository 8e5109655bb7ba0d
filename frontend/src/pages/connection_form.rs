//! The form of a connection: what most need first, the rest behind headings that open.

use std::rc::Rc;

use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::connections::{head, use_title_focus};
use crate::catalogue::connections::ConnectionWords;
use crate::catalogue::{Catalogue, fill};
use crate::components::{Choice, Segmented, Toggle};
use crate::hooks::use_locale;
use crate::services::document;
use crate::state::profile::{Draft, Fault, Field, Profile, Speaks, Switch};

/// How the form was left.
pub(super) enum Finished {
    Cancelled,
    Saved { profile: Box<Profile>, connects: bool },
}

#[derive(Clone, PartialEq)]
struct Form {
    draft: Draft,
    /// What was wrong when somebody last wanted to save.
    faults: Vec<(Field, Fault)>,
    /// The fields that were wrong then: what holds them stays open while they are put right.
    flagged: Vec<Field>,
}

enum Edit {
    Text(Field, String),
    Switch(Switch, bool),
    Version(Speaks),
    Found(Vec<(Field, Fault)>),
}

impl Reducible for Form {
    type Action = Edit;

    fn reduce(self: Rc<Self>, edit: Edit) -> Rc<Self> {
        let mut next = (*self).clone();
        match edit {
            Edit::Text(field, text) => {
                next.draft.set_text(field, text);
                next.faults.retain(|(other, _)| *other != field);
            }
            Edit::Switch(switch, on) => next.draft.set(switch, on),
            Edit::Version(version) => next.draft.set_version(version),
            Edit::Found(faults) => {
                next.flagged = faults.iter().map(|(field, _)| *field).collect();
                next.faults = faults;
            }
        }
        Rc::new(next)
    }
}

/// What the pieces of the form are drawn with.
struct Pen {
    form: UseReducerHandle<Form>,
    words: &'static ConnectionWords,
    text: &'static Catalogue,
}

#[derive(Clone, PartialEq, Properties)]
pub(super) struct ConnectionFormProps {
    pub draft: Draft,
    /// Whether it is here for the password, which is not kept.
    pub asks_password: bool,
    pub on_finish: Callback<Finished>,
}

#[component]
pub(super) fn ConnectionForm(props: &ConnectionFormProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = ConnectionWords::of(text);
    let form = {
        let draft = props.draft.clone();
        use_reducer_eq(move || Form { draft, faults: Vec::new(), flagged: Vec::new() })
    };
    use_title_focus();
    use_effect_with(props.asks_password, |asks| {
        if *asks {
            document::focus(&input_id(Field::Password));
        }
    });
    let finish = |connects: bool| {
        let (form, on_finish) = (form.clone(), props.on_finish.clone());
        move || match form.draft.check() {
            Ok(profile) => on_finish.emit(Finished::Saved { profile: Box::new(profile), connects }),
            Err(faults) => {
                let first = faults.first().map(|(field, _)| input_id(*field));
                form.dispatch(Edit::Found(faults));
                if let Some(first) = first {
                    document::focus(&first);
                }
            }
        }
    };
    let (save, connect) = (finish(false), finish(true));
    let onsubmit = Callback::from(move |event: SubmitEvent| {
        event.prevent_default();
        connect();
    });
    let name = props.draft.text(Field::Name);
    let title = match name.is_empty() {
        true => words.new_title.to_owned(),
        false => fill(words.edit_title, &[("name", &name)]),
    };
    let on_back = props.on_finish.reform(|()| Finished::Cancelled);
    let pen = Pen { form: form.clone(), words, text };
    html! {
        <>
            {head(&title, &on_back, words)}
            if props.asks_password {
                <div class="notice" role="status"><p class="notice__text">{words.ask_password}</p></div>
            }
            if !form.faults.is_empty() {
                <div class="notice" role="alert" data-testid="connection-faults"><p class="notice__text">{words.faults}</p></div>
            }
            <form class="form form--long connection-form" {onsubmit} novalidate=true autocomplete="off">
                <div class="connection-form__parts">
                    <div class="form">{broker(&pen)}</div>
                    <div class="form">{login(&pen)}{more(&pen)}</div>
                </div>
                <div class="form__end form__end--bare">
                    <button type="submit" class="button button--primary" data-testid="connection-save-connect">
                        {words.save_and_connect}</button>
                    <button type="button" class="button" onclick={Callback::from(move |_| save())} data-testid="connection-save">
                        {words.save}</button>
                    <button type="button" class="button button--quiet" onclick={on_back.reform(|_| ())}>{text.cancel}</button>
                </div>
            </form>
        </>
    }
}

/// Where to.
fn broker(pen: &Pen) -> Html {
    let words = pen.words;
    let versions = Speaks::ALL.map(|version| Choice {
        value: version.as_str(),
        label: fill("MQTT {version}", &[("version", version.as_str())]).into(),
        hint: None,
    });
    let on_version = pen.edit(|word: &'static str| {
        Edit::Version(Speaks::ALL.into_iter().find(|version| version.as_str() == word).unwrap_or_default())
    });
    html! {
            <section class="card form" aria-labelledby="form-basics">
                <h2 class="card__title" id="form-basics">{words.basics}</h2>
                {pen.line(Field::Name)}
                {pen.line(Field::Host)}
                <div class="form__pair">{pen.number(Field::Port)}{pen.line(Field::Path)}</div>
                {pen.toggle(Switch::Secure, words.secure, words.secure_hint, "secure")}
                <Segmented name="connection-version" legend={pen.text.protocol} choices={versions.to_vec()}
                    chosen={pen.form.draft.version().as_str()} on_choose={on_version} />
                {pen.toggle(Switch::ConnectAtStart, words.at_start, words.at_start_hint, "at-start")}
            </section>
    }
}

/// As whom, and what is asked for.
fn login(pen: &Pen) -> Html {
    let words = pen.words;
    html! {
        <>
            <section class="card form" aria-labelledby="form-login">
                <h2 class="card__title" id="form-login">{words.login}</h2>
                <div class="form__pair">{pen.line(Field::UserName)}{pen.field(Field::Password, "password")}</div>
                {pen.toggle(Switch::KeepPassword, words.keep_password, words.keep_password_hint, "keep-password")}
            </section>
            <section class="card form" aria-labelledby="form-content">
                <h2 class="card__title" id="form-content">{words.content}</h2>
                {pen.area(Field::Filters)}
                {pen.qos(Field::FiltersQos, "connection-filters-qos")}
            </section>
        </>
    }
}

/// What few need.
fn more(pen: &Pen) -> Html {
    let (words, draft) = (pen.words, &pen.form.draft);
    let is_v5 = draft.version() == Speaks::V5;
    let session = html! {
        <>
            {pen.line(Field::ClientId)}
            {pen.toggle(Switch::CleanStart, words.clean_start, words.clean_start_hint, "clean-start")}
            <div class="form__pair">
                {pen.number(Field::KeepAlive)}
                if is_v5 { {pen.number(Field::SessionExpiry)} }
            </div>
        </>
    };
    let has_will = draft.is_on(Switch::HasWill);
    let will = html! {
        <>
            {pen.toggle(Switch::HasWill, words.has_will, words.has_will_hint, "has-will")}
            if has_will { {will_fields(pen, is_v5)} }
        </>
    };
    let of_session = [Field::ClientId, Field::KeepAlive, Field::SessionExpiry];
    let of_properties =
        [Field::ReceiveMaximum, Field::PacketBytesMax, Field::TopicAliasMaximum, Field::UserProperties];
    let is_of_will = |field: Field| field.as_str().starts_with("will-");
    html! {
        <>
            {pen.section("session", words.session, |field| of_session.contains(&field), session)}
            {pen.section("will", words.will, is_of_will, will)}
            if is_v5 {
                {pen.section("properties", words.version_5, |field| of_properties.contains(&field), properties(pen))}
            }
        </>
    }
}

fn will_fields(pen: &Pen, is_v5: bool) -> Html {
    let words = pen.words;
    html! {
        <>
            {pen.line(Field::WillTopic)}
            {pen.area(Field::WillPayload)}
            {pen.qos(Field::WillQos, "connection-will-qos")}
            {pen.toggle(Switch::WillRetain, words.will_retain, words.will_retain_hint, "will-retain")}
            if is_v5 {
                <div class="form__pair">{pen.number(Field::WillDelay)}{pen.number(Field::WillMessageExpiry)}</div>
                {pen.toggle(Switch::WillIsText, words.will_is_text, words.will_is_text_hint, "will-is-text")}
                {pen.line(Field::WillContentType)}
                <div class="form__pair">{pen.line(Field::WillResponseTopic)}{pen.line(Field::WillCorrelationData)}</div>
                {pen.area(Field::WillUserProperties)}
            }
        </>
    }
}

fn properties(pen: &Pen) -> Html {
    let words = pen.words;
    html! {
        <>
            <div class="form__pair">{pen.number(Field::ReceiveMaximum)}{pen.number(Field::PacketBytesMax)}</div>
            {pen.number(Field::TopicAliasMaximum)}
            {pen.toggle(Switch::RequestResponseInformation, words.response_information,
                words.response_information_hint, "response-information")}
            {pen.toggle(Switch::RequestProblemInformation, words.problem_information,
                words.problem_information_hint, "problem-information")}
            {pen.area(Field::UserProperties)}
        </>
    }
}

impl Pen {
    fn edit<T: 'static>(&self, edit: impl Fn(T) -> Edit + 'static) -> Callback<T> {
        let form = self.form.dispatcher();
        Callback::from(move |input| form.dispatch(edit(input)))
    }

    fn line(&self, field: Field) -> Html {
        self.field(field, "text")
    }

    fn number(&self, field: Field) -> Html {
        // Not of type number: browsers hide from the page what is none, so that it could not be told what is wrong.
        self.field(field, "numeric")
    }

    fn field(&self, field: Field, kind: &'static str) -> Html {
        let oninput = self.edit(move |event: InputEvent| {
            let input = event.target_dyn_into::<HtmlInputElement>();
            Edit::Text(field, input.map(|input| input.value()).unwrap_or_default())
        });
        let is_password = kind == "password";
        self.labelled(field, html! {
            <input id={input_id(field)} class="input" type={if is_password { "password" } else { "text" }}
                inputmode={(kind == "numeric").then_some("numeric")} value={self.form.draft.text(field)} {oninput}
                autocomplete={if is_password { "new-password" } else { "off" }} spellcheck="false" autocapitalize="off"
                aria-invalid={self.fault(field).map(|_| "true")} aria-describedby={hint_id(field)}
                data-testid={input_id(field)} />
        })
    }

    fn area(&self, field: Field) -> Html {
        let oninput = self.edit(move |event: InputEvent| {
            let input = event.target_dyn_into::<HtmlTextAreaElement>();
            Edit::Text(field, input.map(|input| input.value()).unwrap_or_default())
        });
        self.labelled(field, html! {
            <textarea id={input_id(field)} class="input input--code input--area" rows="3" value={self.form.draft.text(field)}
                {oninput} spellcheck="false" autocapitalize="off" aria-invalid={self.fault(field).map(|_| "true")}
                aria-describedby={hint_id(field)} data-testid={input_id(field)} />
        })
    }

    fn labelled(&self, field: Field, input: Html) -> Html {
        let (label, hint) = self.words.field(field);
        html! {
            <div class="field">
                <label class="field__label" for={input_id(field)}>{label}</label>
                {input}
                <p class="card__note" id={hint_id(field)}>
                    if let Some(fault) = self.fault(field) {
                        <span class="field__hint" data-testid={format!("fault-{}", field.as_str())}>
                            {explain_fault(fault, self.words)}{" "}</span>
                    }
                    {hint}
                </p>
            </div>
        }
    }

    fn toggle(&self, switch: Switch, label: &'static str, hint: &'static str, testid: &'static str) -> Html {
        let on_change = self.edit(move |on| Edit::Switch(switch, on));
        html! { <Toggle {label} {hint} on={self.form.draft.is_on(switch)} {on_change} {testid} /> }
    }

    fn qos(&self, field: Field, name: &'static str) -> Html {
        let words = self.words;
        let choices = [("0", words.qos_0), ("1", words.qos_1), ("2", words.qos_2)];
        let chosen = self.form.draft.text(field);
        let chosen = choices.iter().map(|(value, _)| *value).find(|value| *value == chosen).unwrap_or("0");
        let choices = choices.map(|(value, hint)| Choice {
            value,
            label: format!("QoS {value}").into(),
            hint: Some(hint.into()),
        });
        let on_choose = self.edit(move |value: &'static str| Edit::Text(field, value.to_owned()));
        html! { <Segmented {name} legend={words.filters_qos} choices={choices.to_vec()} {chosen} {on_choose} /> }
    }

    /// A heading that opens; it is open from the start where something under it is wrong.
    fn section(&self, id: &str, title: &str, is_mine: impl Fn(Field) -> bool, content: Html) -> Html {
        let has_fault = self.form.flagged.iter().any(|field| is_mine(*field));
        html! {
            <details class="card more" open={has_fault} data-testid={format!("section-{id}")}>
                <summary class="more__title">{title}</summary>
                <div class="form">{content}</div>
            </details>
        }
    }

    fn fault(&self, field: Field) -> Option<&Fault> {
        self.form.faults.iter().find(|(other, _)| *other == field).map(|(_, fault)| fault)
    }
}

fn input_id(field: Field) -> String {
    format!("connection-{}", field.as_str())
}

fn hint_id(field: Field) -> String {
    format!("connection-{}-hint", field.as_str())
}

/// What is wrong, as a sentence.
pub(super) fn explain_fault(fault: &Fault, words: &'static ConnectionWords) -> String {
    match fault {
        Fault::Missing => words.fault_missing.to_owned(),
        Fault::NotHost => words.fault_host.to_owned(),
        Fault::NotWebSocket(scheme) => fill(words.fault_scheme, &[("scheme", scheme)]),
        Fault::NotPath => words.fault_path.to_owned(),
        Fault::NotNumber(min, max) => {
            fill(words.fault_number, &[("min", &min.to_string()), ("max", &max.to_string())])
        }
        Fault::Text(error) => fill(words.fault_detail, &[("detail", &error.to_string())]),
        Fault::Topic(error) => fill(words.fault_detail, &[("detail", &error.to_string())]),
        Fault::Filter(line, error) => {
            fill(words.fault_line, &[("line", line), ("detail", &error.to_string())])
        }
        Fault::NotPair(line) => fill(words.fault_pair, &[("line", line)]),
        Fault::TooLong(bytes) => fill(words.fault_long, &[("bytes", &bytes.to_string())]),
        Fault::NotHex => words.fault_hex.to_owned(),
        Fault::NotUtf8 => words.fault_utf8.to_owned(),
        Fault::WantsUser => words.fault_user.to_owned(),
        Fault::WantsClientId => words.fault_client_id.to_owned(),
    }
}
