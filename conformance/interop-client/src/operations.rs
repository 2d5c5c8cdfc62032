//! The operations of a plan.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loggia::changes::Change;
use loggia::client::Client;
use loggia::model::{
    CallToolResult, CompleteParams, CreateMessageResult, ElicitResult, ResourceContents, SubscriptionFilter,
};

use crate::config::{Call, Plan, Tool};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The answers of the user and the model.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    elicitation: Mutex<Option<ElicitResult>>,
    model: Mutex<String>,
    asked: AtomicUsize,
}

/// A client with its plan.
pub(crate) struct Driver {
    pub(crate) client: Client,
    pub(crate) plan: Plan,
    pub(crate) answers: Arc<Answers>,
}

impl Answers {
    pub(crate) fn elicit(&self) -> ElicitResult {
        self.asked.fetch_add(1, Ordering::Relaxed);
        lock(&self.elicitation).clone().unwrap_or_else(ElicitResult::cancel)
    }

    pub(crate) fn sample(&self) -> CreateMessageResult {
        self.asked.fetch_add(1, Ordering::Relaxed);
        CreateMessageResult::text("fixture", lock(&self.model).clone())
    }

    fn asked_once(&self, whom: &str) -> Outcome<()> {
        match self.asked.swap(0, Ordering::Relaxed) {
            1 => Ok(()),
            times => Err(format!("{whom} was asked {times} times").into()),
        }
    }
}

impl Driver {
    pub(crate) async fn run(&self, op: &str) -> Outcome<String> {
        match op {
            "list" => self.list().await,
            "call" => self.expect(step(&self.plan.call)?, false).await,
            "error" => self.expect(step(&self.plan.error)?, true).await,
            "progress" => self.progress().await,
            "cancel" => self.cancel().await,
            "elicit_accept" => self.elicit("accept").await,
            "elicit_decline" => self.elicit("decline").await,
            "elicit_cancel" => self.elicit("cancel").await,
            "sample" => self.sample().await,
            "subscribe" => self.subscribe().await,
            "read" => self.read().await,
            "complete" => self.complete().await,
            other => Err(format!("there is no operation {other}").into()),
        }
    }

    async fn list(&self) -> Outcome<String> {
        let tools = self.client.list_all_tools().await?;
        let listed = |name: &String| tools.iter().any(|tool| tool.name == *name);
        match step(&self.plan.list)?.tools.iter().find(|name| !listed(name)) {
            Some(missing) => Err(format!("not listed: {missing}").into()),
            None => Ok(format!("{} tools", tools.len())),
        }
    }

    async fn expect(&self, call: &Call, is_error: bool) -> Outcome<String> {
        expected(&self.call(&call.tool).await?, &call.expect, is_error)
    }

    async fn call(&self, tool: &Tool) -> Outcome<CallToolResult> {
        Ok(self.client.call_tool(&tool.name, &tool.arguments).await?)
    }

    async fn progress(&self) -> Outcome<String> {
        let plan = step(&self.plan.progress)?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hears = seen.clone();
        let call = self.client.call(&plan.call.tool.name).args(&plan.call.tool.arguments);
        let result = call.on_progress(move |report| lock(&hears).push(report.progress)).send().await?;
        let said = expected(&result, &plan.call.expect, false)?;
        let seen = lock(&seen).clone();
        if seen.len() < plan.at_least {
            return Err(format!("only {} reports of progress: {seen:?}", seen.len()).into());
        }
        if seen.windows(2).filter(|pair| pair[0] >= pair[1]).count() > plan.restarts {
            return Err(format!("not increasing: {seen:?}").into());
        }
        Ok(format!("{} reports, {said}", seen.len()))
    }

    /// Drops the call once it makes progress, or after a while.
    async fn cancel(&self) -> Outcome<String> {
        let plan = step(&self.plan.cancel)?;
        let before = self.cancellations(plan.confirm.as_ref()).await?;
        let begun = Instant::now();
        let progress = Arc::new(tokio::sync::Notify::new());
        let notify = progress.clone();
        let call = self.client.call(&plan.tool.name).args(&plan.tool.arguments);
        tokio::select! {
            result = call.on_progress(move |_| notify.notify_one()).send() => {
                return Err(format!("it was answered: {result:?}").into());
            }
            () = progress.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(plan.after)) => {}
        }
        let took = begun.elapsed();
        for _ in 0..40 {
            if plan.confirm.is_none() || self.cancellations(plan.confirm.as_ref()).await? != before {
                return Ok(format!("cancelled after {} ms", took.as_millis()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the server did not notice".into())
    }

    async fn cancellations(&self, confirm: Option<&Call>) -> Outcome<String> {
        match confirm {
            Some(call) => self.expect(call, false).await,
            None => Ok(String::new()),
        }
    }

    async fn elicit(&self, action: &str) -> Outcome<String> {
        let plan = step(&self.plan.elicit)?;
        let answer = match action {
            "accept" => ElicitResult::accept(plan.content.clone().into_iter().collect()),
            "decline" => ElicitResult::decline(),
            _ => ElicitResult::cancel(),
        };
        *lock(&self.answers.elicitation) = Some(answer);
        let wanted = plan.expect[action].as_str().ok_or("the plan expects no text")?;
        let said = expected(&self.call(&plan.tool).await?, wanted, false)?;
        self.answers.asked_once("the user")?;
        Ok(said)
    }

    async fn sample(&self) -> Outcome<String> {
        let plan = step(&self.plan.sample)?;
        plan.reply.clone_into(&mut lock(&self.answers.model));
        let said = self.expect(&plan.call, false).await?;
        self.answers.asked_once("the model")?;
        Ok(said)
    }

    async fn subscribe(&self) -> Outcome<String> {
        let plan = step(&self.plan.subscribe)?;
        let filter = SubscriptionFilter {
            resource_subscriptions: Some(vec![plan.uri.clone()]),
            ..SubscriptionFilter::default()
        };
        let mut subscription = self.client.listen(filter).await?;
        for attempt in 1..=3 {
            self.call(&plan.trigger).await?;
            let change = tokio::time::timeout(Duration::from_secs(3), subscription.next()).await;
            match change {
                Ok(Some(Change::Resource(uri))) if uri == plan.uri => {
                    return Ok(format!("told after {attempt} change(s)"));
                }
                Ok(other) => return Err(format!("told of {other:?}").into()),
                Err(_) => {}
            }
        }
        Err(format!("no notification that {} changed", plan.uri).into())
    }

    async fn read(&self) -> Outcome<String> {
        let plan = step(&self.plan.read)?;
        let result = self.client.read_resource(&plan.uri).await?;
        let text: String = result.contents.iter().filter_map(ResourceContents::as_text).collect();
        if text.contains(&plan.expect) {
            Ok(format!("{} bytes", text.len()))
        } else {
            Err(format!("read {text:?}").into())
        }
    }

    async fn complete(&self) -> Outcome<String> {
        let plan = step(&self.plan.complete)?;
        let params = CompleteParams::prompt(&plan.prompt, &plan.argument, &plan.value);
        let result = self.client.complete(params).await?;
        let values = result.completion.values;
        if values == plan.expect { Ok(values.join(", ")) } else { Err(format!("{values:?}").into()) }
    }
}

fn step<T>(step: &Option<T>) -> Outcome<&T> {
    step.as_ref().ok_or_else(|| "the plan has no such step".into())
}

fn expected(result: &CallToolResult, wanted: &str, is_error: bool) -> Outcome<String> {
    let text = result.content.iter().filter_map(|block| block.as_text()).collect::<Vec<_>>().join("\n");
    if result.failed() != is_error {
        return Err(format!("isError is {:?}: {text}", result.is_error).into());
    }
    if text.contains(wanted) {
        Ok(text.chars().take(100).collect())
    } else {
        Err(format!("expected {wanted:?} in {text:?}").into())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
