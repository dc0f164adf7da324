//! A catalogue of 15,333 made-up parts: the same at each call, and awkward in the ways of real catalogues.
//!
//! 160 libraries; 100 part numbers that two libraries have; 898 rows with characters outside ASCII; commas and quotes
//! in descriptions, of which the longest has 281 characters; empty cells. Tests and the benchmark of imports need no
//! file from elsewhere. This file uses nothing but `std`, so that tests of other crates can include it.

use std::{collections::HashSet, fmt::Write as _};

/// The number of parts.
const ROWS: usize = 15_333;
/// Part numbers that two libraries have.
const TWINS: usize = 100;
/// Of how many rows in the second half one has a part number of the first half.
const ROWS_PER_TWIN: usize = 76;
/// Rows with characters outside ASCII.
const NON_ASCII_ROWS: usize = 898;
/// Rows without a description.
const BLANK_ROWS: usize = 337;
/// The longest description, in characters.
const LONGEST_DESCRIPTION_CHARS: usize = 281;
/// The makers of each family: one library each.
const MAKERS: [(&str, &str); 10] = [
    ("Aldwyn", "AW"),
    ("Borealis", "BRL"),
    ("Cintra", "CN"),
    ("Dorne", "DR"),
    ("Estuary", "EST"),
    ("Fjordline", "FJ"),
    ("Generic", "G"),
    ("Halden", "HL"),
    ("Iberic", "IB"),
    ("Juno", "JN"),
];

/// What parts of one kind have in common.
struct Family {
    library: &'static str,
    reference: &'static str,
    /// `~` is a value, `#` a number of pins.
    description: &'static str,
    keywords: &'static str,
    values: &'static [&'static str],
    /// `#` is the number of pins; nothing where no footprint is known.
    footprint: &'static str,
}

#[rustfmt::skip]
const FAMILIES: [Family; 16] = [
    Family { library: "Resistor", reference: "R", description: "Thick film resistor, ~, 1 %, 0.25 W", keywords: "R res resistor", values: &["10R", "220R", "1k", "4k7", "10k", "47k", "1M"], footprint: "Resistor_SMD:R_0805_2012Metric" },
    Family { library: "Capacitor", reference: "C", description: "Ceramic capacitor, ~, 50 V, X7R", keywords: "cap capacitor MLCC", values: &["10p", "100p", "1n", "10n", "100n", "1u", "10u"], footprint: "Capacitor_SMD:C_0603_1608Metric" },
    Family { library: "Inductor", reference: "L", description: "Shielded power inductor, ~, 3 A", keywords: "inductor choke coil", values: &["1u", "2u2", "4u7", "10u", "100u"], footprint: "" },
    Family { library: "Diode", reference: "D", description: "Schottky rectifier diode, ~, 1 A, \"low drop\"", keywords: "diode Schottky", values: &["20V", "40V", "60V", "100V"], footprint: "Diode_SMD:D_SMA" },
    Family { library: "LED", reference: "D", description: "LED, ~, 20 mA, diffused lens", keywords: "LED opto", values: &["red", "green", "blue", "warm \"white\"", "amber"], footprint: "LED_THT:LED_D5.0mm" },
    Family { library: "Transistor_FET", reference: "Q", description: "N-channel MOSFET, ~, SOT-23", keywords: "NMOS N-MOSFET", values: &["30V/5A", "60V/2A", "100V/0.3A"], footprint: "Package_TO_SOT_SMD:SOT-23" },
    Family { library: "Amplifier_Operational", reference: "U", description: "~ operational amplifier, rail-to-rail, SOIC-#", keywords: "opamp", values: &["Single", "Dual", "Quad", "Dual low-noise"], footprint: "Package_SO:SOIC-#_3.9x4.9mm_P1.27mm" },
    Family { library: "Comparator", reference: "U", description: "~ comparator, open collector, DIP-#", keywords: "comparator cmp", values: &["Single", "Dual", "Quad"], footprint: "Package_DIP:DIP-#_W7.62mm" },
    Family { library: "Regulator_Linear", reference: "U", description: "300 mA low dropout voltage regulator, fixed output ~, SOT-23-5", keywords: "LDO regulator fixed positive", values: &["1.8V", "2.5V", "3.3V", "5V"], footprint: "Package_TO_SOT_SMD:SOT-23-5" },
    Family { library: "Regulator_Switching", reference: "U", description: "Step-down converter, ~, 4.5-36 V input", keywords: "buck converter step-down", values: &["1A", "2A", "3A adjustable"], footprint: "" },
    Family { library: "MCU", reference: "U", description: "32-bit microcontroller, ~ flash, # pins, LQFP-#", keywords: "ARM, 32-bit, microcontroller", values: &["32KB", "64KB", "256KB", "1MB"], footprint: "Package_QFP:LQFP-#_P0.5mm" },
    Family { library: "Logic", reference: "U", description: "~ gate, CMOS, see \"family data\"", keywords: "CMOS logic gate", values: &["Quad 2-input NAND", "Quad 2-input NOR", "Hex inverter", "Dual 4-input AND"], footprint: "" },
    Family { library: "Memory", reference: "U", description: "Serial EEPROM, ~, 1 MHz, SOIC-#", keywords: "EEPROM memory serial", values: &["2Kbit", "64Kbit", "1Mbit"], footprint: "Package_SO:SOIC-#_3.9x4.9mm_P1.27mm" },
    Family { library: "Sensor", reference: "U", description: "Digital sensor, ~, I2C", keywords: "sensor I2C digital", values: &["temperature", "humidity", "pressure", "light"], footprint: "" },
    Family { library: "Relay", reference: "K", description: "General purpose relay, ~, through hole", keywords: "relay SPDT DPDT", values: &["5V coil", "12V coil", "24V coil"], footprint: "Relay_THT:Relay_DPDT" },
    Family { library: "Connector", reference: "J", description: "Pin header, ~ row, # pins, script generated (connector/generic)", keywords: "connector", values: &["single", "double"], footprint: "Connector_PinHeader_2.54mm:PinHeader_#" },
];

/// What the rows outside ASCII say in addition.
const MARKS: [&str; 10] = [
    "\u{b1}5 %",
    "\u{2212}40 \u{b0}C to +85 \u{b0}C",
    "10 k\u{3a9}",
    "50 \u{2126}",
    "4.7 \u{b5}F",
    "4.7 \u{3bc}F",
    "Pico\u{ae}",
    "Nano\u{2122}",
    "0.5 mm\u{b2}",
    "\u{d8} 3\u{2013}5 mm",
];

/// A part, as a row has it.
struct Part {
    number: String,
    library: String,
    description: String,
    keywords: &'static str,
    footprint: String,
    datasheet: String,
    reference: &'static str,
}

/// The generator `SplitMix64`: the same numbers on every machine and with every version of every crate.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The remainder is smaller than the bound, which is a `usize`.
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap_or_default()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn blank_one_in(&mut self, rows: usize, text: String) -> String {
        if self.below(rows) == 0 { String::new() } else { text }
    }
}

/// Whether a row is one of `count` that are spread evenly over all rows.
fn is_one_of(row: usize, count: usize) -> bool {
    (row + 1) * count / ROWS > row * count / ROWS
}

/// The parts, by library.
fn parts() -> Vec<Part> {
    let mut random = Random(15_333);
    let mut used = HashSet::new();
    let mut parts: Vec<Part> = Vec::with_capacity(ROWS);
    let libraries = FAMILIES.len() * MAKERS.len();
    for row in 0..ROWS {
        let library = row * libraries / ROWS;
        let (family, (maker, prefix)) = (&FAMILIES[library / MAKERS.len()], MAKERS[library % MAKERS.len()]);
        // Half of all rows before, so another library.
        let twin = row.checked_sub(ROWS / 2);
        let twin = twin.filter(|twin| twin % ROWS_PER_TWIN == 0 && twin / ROWS_PER_TWIN < TWINS);
        let number = match twin.and_then(|twin| parts.get(twin)) {
            Some(twin) => twin.number.clone(),
            None => unused_number(&mut random, prefix, &mut used),
        };
        let pins = random.pick(&["8", "14", "16", "20", "48", "64"]);
        let mut description = family.description.replace('~', random.pick(family.values)).replace('#', pins);
        let range = random.pick(&["0 to 70 C", "-40 to 85 C", "-40 to 105 C", "-55 to 125 C"]);
        let _infallible = write!(description, ", {} mW, {range}", 10 + random.below(990));
        if is_one_of(row, NON_ASCII_ROWS) {
            description = format!("{description}, {}", random.pick(&MARKS));
        } else if is_one_of(row, BLANK_ROWS) {
            description.clear();
        } else if row == ROWS / 3 {
            description.push_str(&", see the notes of the maker on soldering and storage".repeat(6));
            description.truncate(LONGEST_DESCRIPTION_CHARS);
        }
        let datasheet = format!("https://parts.example/{}/{number},rev%20{}.pdf", maker.to_lowercase(), pins);
        parts.push(Part {
            library: format!("{}_{maker}", family.library),
            description,
            keywords: if random.below(40) == 0 { "" } else { family.keywords },
            footprint: random.blank_one_in(10, family.footprint.replace('#', pins)),
            datasheet: random.blank_one_in(6, datasheet),
            reference: family.reference,
            number,
        });
    }
    parts
}

/// A part number that no row before has.
fn unused_number(random: &mut Random, prefix: &str, used: &mut HashSet<String>) -> String {
    loop {
        let number = format!(
            "{prefix}{}{}{}",
            100 + random.below(99_900),
            random.pick(&["", "A", "-3.3", "XQ", "/TR", "+"]),
            random.pick(&["", "-D", "-SO8", "_Q1"]),
        );
        if used.insert(number.clone()) {
            return number;
        }
    }
}

/// The parts as a CSV file with a header.
pub(crate) fn csv() -> String {
    let mut file = "part_number,library,description,keywords,footprint,datasheet,reference\n".to_owned();
    for part in parts() {
        let Part { number, library, description, keywords, footprint, datasheet, reference } = &part;
        let cells: [&str; 7] = [number, library, description, keywords, footprint, datasheet, reference];
        let cells = cells.map(cell_text);
        // Writing to a string does not fail.
        let _infallible = writeln!(file, "{}", cells.join(","));
    }
    file
}

fn cell_text(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
