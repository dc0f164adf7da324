//! A small chart of what was created and deleted day by day, drawn here as SVG.

use inventory_store::Activity;
use time::Date;

/// The size of the chart in its own units; it is shown as wide as there is room.
const WIDTH: u32 = 560;
const HEIGHT: u32 = 150;
/// The room below the bars, for dates.
const FOOT: u32 = 18;
/// The room above, for the number at the top.
const HEAD: u32 = 14;

/// Bars up for what was created, and down for what was deleted.
pub(crate) struct Chart {
    pub(crate) bars: Vec<Bar>,
    /// Where the two kinds of bars meet.
    pub(crate) zero: u32,
    /// The most of a day.
    pub(crate) most: u64,
    pub(crate) first: Option<Date>,
    pub(crate) last: Option<Date>,
}

/// One day.
pub(crate) struct Bar {
    pub(crate) x: u32,
    pub(crate) width: u32,
    pub(crate) up: u32,
    pub(crate) down: u32,
}

impl Chart {
    pub(crate) const WIDTH: u32 = WIDTH;
    pub(crate) const HEIGHT: u32 = HEIGHT;

    /// The chart of these days.
    pub(crate) fn new(days: &[Activity]) -> Self {
        let most = |count: fn(&Activity) -> u64| days.iter().map(count).max().unwrap_or_default();
        let (up, down) = (most(|day| day.created), most(|day| day.deleted));
        let room = HEIGHT - FOOT - HEAD;
        let scale = |count: u64| share(room, count, (up + down).max(1));
        let zero = HEAD + scale(up);
        let step = WIDTH / u32::try_from(days.len()).unwrap_or(u32::MAX).max(1);
        let bars = days.iter().zip(0..).map(|(day, index)| Bar {
            x: index * step,
            width: step.saturating_sub(2).max(1),
            up: scale(day.created),
            down: scale(day.deleted),
        });
        Self {
            bars: bars.collect(),
            zero,
            most: up.max(down),
            first: days.first().map(|day| day.day),
            last: days.last().map(|day| day.day),
        }
    }

    /// Whether nothing happened at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.most == 0
    }
}

/// A part of the room, at least one unit where there is anything.
fn share(room: u32, count: u64, most: u64) -> u32 {
    let share = u64::from(room) * count / most;
    u32::try_from(share).unwrap_or(room).max(u32::from(count > 0)).min(room)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn bars_are_as_high_as_their_days_and_never_leave_the_chart() {
        let day = |created, deleted| Activity { day: date!(2027 - 01 - 15), created, deleted };
        let chart = Chart::new(&[day(0, 0), day(1, 0), day(1000, 500)]);
        let heights: Vec<_> = chart.bars.iter().map(|bar| (bar.up, bar.down)).collect();
        assert_eq!(heights, [(0, 0), (1, 0), (78, 39)]);
        assert!(chart.bars.iter().all(|bar| chart.zero >= bar.up && chart.zero + bar.down <= HEIGHT));
        assert!(Chart::new(&[]).is_empty());
    }
}
