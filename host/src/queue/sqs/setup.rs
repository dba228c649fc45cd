//! Making the queues, or checking that someone made them right.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_sdk_sqs::types::QueueAttributeName;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Lane, QueueRef, SqsOptions, failed, whole_seconds};
use crate::queue::{QueueError, QueueName};

/// How long a dead letter is kept, in seconds: the longest that SQS keeps anything, 14 days.
const DEAD_LETTER_SECONDS: &str = "1209600";

/// What is wrong with a queue, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("queue `{name}` does not exist in {region}: make it, or let the host make it (`create`)")]
    Missing { name: String, region: String },
    #[error("queue `{name}` does not exist: only queues given by name, not by URL, are made by the host")]
    MissingUrl { name: String },
    #[error(
        "queue `{name}` has no dead-letter queue: give it a redrive policy with maxReceiveCount {receives}, or let the \
         host do so (`create`)"
    )]
    NoDeadLetters { name: String, receives: u32 },
    #[error(
        "queue `{name}` gives a message up after {found} receives, the configuration says {expected}: change one of them"
    )]
    Receives { name: String, found: u32, expected: u32 },
    #[error("the redrive policy of queue `{name}` cannot be read")]
    Policy { name: String, source: serde_json::Error },
    #[error("the server gave no {attribute} for queue `{name}`")]
    NoAttribute { name: String, attribute: &'static str },
    #[error("the dead-letter queue `{arn}` of queue `{name}` cannot be found: make it, or change the redrive policy")]
    DeadLettersGone { name: String, arn: String },
    #[error("both queues are `{url}`: they must differ")]
    Same { url: String },
}

/// The attribute `RedrivePolicy`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redrive {
    dead_letter_target_arn: String,
    #[serde(deserialize_with = "number_or_text")]
    max_receive_count: u32,
}

type Attributes = HashMap<QueueAttributeName, String>;

/// Resolves one queue; makes or checks it.
pub(super) async fn lane(
    client: &Client,
    options: &SqsOptions,
    name: QueueName,
    reference: &QueueRef,
) -> Result<Lane, QueueError> {
    let setup = Setup { client, options, name };
    let url = setup.resolve(reference).await?;
    let redrive = setup.redrive(&url, reference).await?;
    let dead_letters = setup.dead_letters(&redrive, reference).await?;
    Ok(Lane { name, url, dead_letters, fifo: reference.is_fifo(), grouped: AtomicBool::new(true) })
}

/// A message on one queue must never be taken for one of the other.
pub(super) fn check_distinct(retrieve: &Lane, process: &Lane) -> Result<(), QueueError> {
    if retrieve.url == process.url {
        return Err(failed(process.name, "open")(SetupError::Same { url: process.url.clone() }));
    }
    Ok(())
}

struct Setup<'a> {
    client: &'a Client,
    options: &'a SqsOptions,
    name: QueueName,
}

impl Setup<'_> {
    fn refuse(&self, problem: SetupError) -> QueueError {
        failed(self.name, "open")(problem)
    }

    /// The URL of a queue that exists, or is made here and now.
    async fn resolve(&self, reference: &QueueRef) -> Result<String, QueueError> {
        let name = reference.name();
        match reference {
            QueueRef::Url(url) => Ok(url.clone()),
            QueueRef::Name(_) => match self.find(name, None).await? {
                Some(url) => Ok(url),
                None if self.options.create => self.make(name, Attributes::new()).await,
                None => {
                    Err(self.refuse(SetupError::Missing { name: name.to_owned(), region: self.options.region.clone() }))
                }
            },
        }
    }

    /// The redrive policy as it stands after making or checking.
    async fn redrive(&self, url: &str, reference: &QueueRef) -> Result<Redrive, QueueError> {
        let name = reference.name().to_owned();
        let expected = self.options.max_receives;
        let found = self.attributes(url, reference).await?.remove(&QueueAttributeName::RedrivePolicy);
        let found = found
            .filter(|policy| !policy.is_empty())
            .map(|policy| serde_json::from_str::<Redrive>(&policy))
            .transpose()
            .map_err(|source| self.refuse(SetupError::Policy { name: name.clone(), source }))?;
        match found {
            Some(redrive) if redrive.max_receive_count == expected => Ok(redrive),
            Some(redrive) if self.options.create => {
                self.set_redrive(url, Redrive { max_receive_count: expected, ..redrive }).await
            }
            Some(Redrive { max_receive_count: found, .. }) => {
                Err(self.refuse(SetupError::Receives { name, found, expected }))
            }
            None if self.options.create => {
                let dead_letter_target_arn = self.make_dead_letters(reference).await?;
                self.set_redrive(url, Redrive { dead_letter_target_arn, max_receive_count: expected }).await
            }
            None => Err(self.refuse(SetupError::NoDeadLetters { name, receives: expected })),
        }
    }

    /// The URL of the dead-letter queue, which may be anyone's in any account.
    async fn dead_letters(&self, redrive: &Redrive, reference: &QueueRef) -> Result<String, QueueError> {
        let arn = &redrive.dead_letter_target_arn;
        let mut parts = arn.rsplit(':');
        let found = match (parts.next(), parts.next()) {
            (Some(queue), Some(account)) => self.find(queue, Some(account)).await?,
            _ => None,
        };
        let gone = || SetupError::DeadLettersGone { name: reference.name().to_owned(), arn: arn.clone() };
        found.ok_or_else(|| self.refuse(gone()))
    }

    async fn make_dead_letters(&self, reference: &QueueRef) -> Result<String, QueueError> {
        let name = dead_letter_name(reference.name(), &self.options.dead_letter_suffix);
        let url = match self.find(&name, None).await? {
            Some(url) => url,
            None => {
                let kept = (QueueAttributeName::MessageRetentionPeriod, DEAD_LETTER_SECONDS.to_owned());
                self.make(&name, Attributes::from([kept])).await?
            }
        };
        let reference = QueueRef::Name(name);
        let arn = self.attributes(&url, &reference).await?.remove(&QueueAttributeName::QueueArn);
        let none = || SetupError::NoAttribute { name: reference.name().to_owned(), attribute: "QueueArn" };
        arn.ok_or_else(|| self.refuse(none()))
    }

    async fn find(&self, name: &str, account: Option<&str>) -> Result<Option<String>, QueueError> {
        let request = self.client.get_queue_url().queue_name(name);
        match request.set_queue_owner_aws_account_id(account.map(str::to_owned)).send().await {
            Ok(answer) => Ok(answer.queue_url),
            Err(error) if error.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist) => Ok(None),
            Err(error) => Err(failed(self.name, "open")(error)),
        }
    }

    async fn make(&self, name: &str, mut attributes: Attributes) -> Result<String, QueueError> {
        let visibility = whole_seconds(self.options.visibility).to_string();
        attributes.insert(QueueAttributeName::VisibilityTimeout, visibility);
        if name.ends_with(".fifo") {
            attributes.insert(QueueAttributeName::FifoQueue, "true".to_owned());
        }
        let request = self.client.create_queue().queue_name(name).set_attributes(Some(attributes));
        let made = request.send().await.map_err(failed(self.name, "open"))?;
        tracing::info!(queue.name = %self.name, queue.created = name, "made a queue");
        let none = || SetupError::NoAttribute { name: name.to_owned(), attribute: "QueueUrl" };
        made.queue_url.ok_or_else(|| self.refuse(none()))
    }

    async fn attributes(&self, url: &str, reference: &QueueRef) -> Result<Attributes, QueueError> {
        let request = self.client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        match request.send().await {
            Ok(answer) => Ok(answer.attributes.unwrap_or_default()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_queue_does_not_exist()) => {
                Err(self.refuse(SetupError::MissingUrl { name: reference.to_string() }))
            }
            Err(error) => Err(failed(self.name, "open")(error)),
        }
    }

    async fn set_redrive(&self, url: &str, redrive: Redrive) -> Result<Redrive, QueueError> {
        let policy = serde_json::to_string(&redrive).map_err(failed(self.name, "open"))?;
        let request = self.client.set_queue_attributes().queue_url(url);
        let request = request.attributes(QueueAttributeName::RedrivePolicy, policy);
        request.send().await.map_err(failed(self.name, "open"))?;
        Ok(redrive)
    }
}

/// The dead letters of a FIFO queue need one too, and its name must say so.
fn dead_letter_name(queue: &str, suffix: &str) -> String {
    match queue.strip_suffix(".fifo") {
        Some(stem) => format!("{stem}{suffix}.fifo"),
        None => format!("{queue}{suffix}"),
    }
}

/// AWS writes `maxReceiveCount` as a number; consoles and other servers have written it as text.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u32),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_letters_of_a_fifo_queue_are_fifo() {
        assert_eq!(dead_letter_name("retrieve", "-dlq"), "retrieve-dlq");
        assert_eq!(dead_letter_name("retrieve.fifo", "-dlq"), "retrieve-dlq.fifo");
    }

    #[test]
    fn a_redrive_policy_is_read_with_a_number_or_text() {
        for count in ["5", "\"5\""] {
            let text = format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu:1:dlq","maxReceiveCount":{count}}}"#);
            let redrive: Redrive = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (redrive.dead_letter_target_arn.as_str(), redrive.max_receive_count),
                ("arn:aws:sqs:eu:1:dlq", 5)
            );
        }
    }
}
