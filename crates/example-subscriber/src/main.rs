//! The inventory service with one more subscriber: it writes a line to a file for each component that is created, from
//! which a label printer can take them. Take it as the beginning of your own.

use std::{fs::OpenOptions, io::Write as _, path::PathBuf, process::ExitCode};

use inventory::clap;
use inventory_core::{ComponentCreated, EventEnvelope, HandlerResult, Subscriber};

/// Options of the subscriber, which `inventory-example-subscriber --help` lists with those of the service.
#[derive(clap::Args)]
struct LabelOptions {
    /// Append a line to this file for each component that is created: its SKU, a tab, its name.
    #[arg(long, env = "INVENTORY_LABEL_FILE", value_name = "PATH")]
    label_file: Option<PathBuf>,
}

struct Labels {
    file: PathBuf,
}

impl Subscriber for Labels {
    type Event = ComponentCreated;

    const NAME: &'static str = "labels";

    async fn handle(&self, event: EventEnvelope<ComponentCreated>) -> HandlerResult {
        let component = &event.data.component;
        let sku = component.sku.as_ref().map_or("", |sku| sku.as_str());
        // One write is one line, whole or not there. If it fails, the subscriber is called again.
        let line = format!("{sku}\t{}\n", component.name.as_str());
        OpenOptions::new().create(true).append(true).open(&self.file)?.write_all(line.as_bytes())?;
        Ok(())
    }
}

fn main() -> ExitCode {
    inventory::main(|subscribers| {
        subscribers
            .add_with_options(|LabelOptions { label_file }| Ok(label_file.map(|file| Labels { file })));
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use inventory_core::{Actor, Clock, ComponentId, MemoryLog, NewComponent};

    use super::*;

    #[tokio::test]
    async fn each_component_that_is_created_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("labels");
        // No database is needed: a log in memory calls the subscriber as the service does.
        let (recorder, bus) = MemoryLog::with_bus(16);
        bus.register(Labels { file: file.clone() });
        for name in ["74HC00", "74HC04"] {
            let component = NewComponent::named(name.parse().unwrap());
            let component = component.create(ComponentId::generate(), Clock::system().now(), Actor::cli());
            recorder.record(ComponentCreated { component: Arc::new(component.unwrap()) });
        }
        recorder.close();
        bus.join().await;
        assert_eq!(fs::read_to_string(file).unwrap(), "\t74HC00\n\t74HC04\n");
    }
}
