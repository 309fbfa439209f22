//! The trace flags byte: two known bits, copied on continuation, the others zeroed (rows I3, trap 15).

use opentelemetry::TraceFlags;

/// "The low 56 bits of the trace id are random", W3C Trace Context level 2.
pub(crate) const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// The flags of a span that continues a trace: its own sampling decision, the trace's random bit.
///
/// The random bit tells how the trace id was made, so no one but its maker may change it.
pub(crate) fn child_flags(parent: TraceFlags, sampled: bool) -> TraceFlags {
    (parent & RANDOM).with_sampled(sampled)
}

/// The bits that level 2 defines; "the others are reserved and MUST be set to zero".
pub(super) fn known(flags: TraceFlags) -> TraceFlags {
    flags & (TraceFlags::SAMPLED | RANDOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_keeps_the_random_bit_and_no_other_bit_of_its_parent() {
        // I3: set stays set, unset stays unset, whatever the sampling decision.
        for (parent, sampled, child) in [
            (0x00, false, 0x00),
            (0x00, true, 0x01),
            (0x01, false, 0x00),
            (0x02, false, 0x02),
            (0x02, true, 0x03),
            (0x03, false, 0x02),
            (0xff, true, 0x03),
        ] {
            assert_eq!(
                child_flags(TraceFlags::new(parent), sampled).to_u8(),
                child,
                "{parent:02x}"
            );
        }
    }
}
