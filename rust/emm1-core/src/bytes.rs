//! One question about bytes, asked of gigabytes: does a file of integers hold anything but digits?

/// Position of the first byte of `data` that is not one of `allowed`.
///
/// ```
/// assert_eq!(emm1_core::first_byte_outside(b"12,3", b"0123456789"), Some(2));
/// ```
pub fn first_byte_outside(data: &[u8], allowed: &[u8]) -> Option<usize> {
    let mut wrong = [true; 256];
    for &byte in allowed {
        wrong[usize::from(byte)] = false;
    }
    // Blocks without a branch inside: the table look-up is then bound by the loads alone.
    for (number, block) in data.chunks(4096).enumerate() {
        if block.iter().fold(false, |any, &byte| any | wrong[usize::from(byte)]) {
            let within = block.iter().position(|&byte| wrong[usize::from(byte)]);
            return within.map(|position| number * 4096 + position);
        }
    }
    None
}
