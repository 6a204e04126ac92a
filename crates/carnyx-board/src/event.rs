//! Events: what TensorBoard's files hold one after the other, in the messages of its protocol buffers.
//!
//! An event has a time, a step, and one value with a tag. Everything but graphs is a summary: a tensor, with the name
//! of the plugin that shows it. Reference: [`event.proto`](https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto)
//! and its neighbours.

use crate::message::Message;

/// Which plugin shows a tensor, and how its data are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plugin {
    Scalars,
    Histograms,
    Images,
    Text,
    KerasGraph,
}

impl Plugin {
    fn name(self) -> &'static str {
        match self {
            Plugin::Scalars => "scalars",
            Plugin::Histograms => "histograms",
            Plugin::Images => "images",
            Plugin::Text => "text",
            Plugin::KerasGraph => "graph_keras_model",
        }
    }

    /// `DataClass`: scalars, tensors, or sequences of large objects.
    fn data_class(self) -> u64 {
        match self {
            Plugin::Scalars => 1,
            Plugin::Histograms | Plugin::Text => 2,
            Plugin::Images | Plugin::KerasGraph => 3,
        }
    }

    /// What the plugin wants to know beside its name: here, the version of its format.
    fn content(self) -> &'static [u8] {
        match self {
            Plugin::KerasGraph => b"1",
            _ => b"",
        }
    }

    fn metadata(self) -> Message {
        let data = Message::new().text(1, self.name()).bytes(2, self.content());
        Message::new().message(1, &data).uint(4, self.data_class())
    }
}

/// The first event of each file: the version of the format, and who writes.
pub(crate) fn version(time: f64) -> Message {
    let writer = Message::new().text(1, concat!("carnyx ", env!("CARGO_PKG_VERSION")));
    Message::new().double(1, time).text(3, "brain.Event:2").message(10, &writer)
}

/// A tensor under a tag.
pub(crate) fn summary(time: f64, step: i64, tag: &str, plugin: Plugin, tensor: &Message) -> Message {
    tagged(time, step, tag, &plugin.metadata(), tensor)
}

/// A message of the plugin for hyperparameters, which looks at nothing but the metadata.
pub(crate) fn hyperparameters(time: f64, tag: &str, content: &Message) -> Message {
    let data = Message::new().text(1, "hparams").bytes(2, content.as_bytes());
    tagged(time, 0, tag, &Message::new().message(1, &data), &floats(&[0], &[]))
}

/// A graph of operations.
pub(crate) fn graph(time: f64, graph: &Message) -> Message {
    Message::new().double(1, time).int(2, 0).bytes(4, graph.as_bytes())
}

fn tagged(time: f64, step: i64, tag: &str, metadata: &Message, tensor: &Message) -> Message {
    let value = Message::new().text(1, tag).message(9, metadata).message(8, tensor);
    Message::new().double(1, time).int(2, step).message(5, &Message::new().message(1, &value))
}

/// A tensor of `f32`.
pub(crate) fn floats(shape: &[usize], values: &[f32]) -> Message {
    let content: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(1, shape).bytes(4, &content)
}

/// A tensor of `f64`.
pub(crate) fn doubles(shape: &[usize], values: &[f64]) -> Message {
    let content: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(2, shape).bytes(4, &content)
}

/// A tensor of texts, or of other bytes.
pub(crate) fn texts<T: AsRef<[u8]>>(shape: &[usize], values: &[T]) -> Message {
    values.iter().fold(tensor(7, shape), |tensor, value| tensor.bytes(8, value.as_ref()))
}

fn tensor(dtype: u64, shape: &[usize]) -> Message {
    Message::new().uint(1, dtype).message(2, &self::shape(shape))
}

/// A `TensorShapeProto`.
pub(crate) fn shape(sizes: &[usize]) -> Message {
    Message::new().messages(2, sizes.iter().map(|&size| Message::new().int(1, size as i64)))
}
