//! The offsets of an encrypted stream against a model that knows of each byte which record it is in.

use keepline_proto::outbox::{Records, Standing};
use proptest::prelude::*;

proptest! {
    #[test]
    fn records_agree_with_a_model_of_each_byte(
        sealed in prop::collection::vec((0usize..40, 1usize..60), 0..200),
        looks in prop::collection::vec((0u64..6_000, 0u64..6_000, 0usize..200), 1..20),
    ) {
        let mut records = Records::new();
        let mut model = Model::default();
        let mut looks = looks;
        looks.sort_by_key(|look| look.2);
        let mut looks = looks.into_iter().peekable();
        let mut acked = 0;
        for (index, (plain, extra)) in sealed.into_iter().enumerate() {
            let cipher = plain + extra;
            records.seal(plain, cipher);
            model.seal(plain, cipher);
            prop_assert_eq!(records.sealed(), model.cipher());
            while let Some((low, more, _)) = looks.next_if(|look| look.2 <= index) {
                // What is acknowledged never goes back, and is never more than was sealed.
                acked = acked.max(low.min(model.cipher()));
                let standing = Standing { acked, transmitted: (acked + more).min(model.cipher()) };
                prop_assert_eq!(records.standing(standing), model.standing(standing));
            }
        }
    }
}

/// The record of each byte, as `(begin, end)` in the ciphertext.
#[derive(Default)]
struct Model {
    bytes: Vec<(u64, u64)>,
    cipher: u64,
}

impl Model {
    fn seal(&mut self, plain: usize, cipher: usize) {
        let end = self.cipher + cipher as u64;
        self.bytes.extend(std::iter::repeat_n((self.cipher, end), plain));
        self.cipher = end;
    }

    fn cipher(&self) -> u64 {
        self.cipher
    }

    fn standing(&self, cipher: Standing) -> Standing {
        let acked = self.bytes.iter().take_while(|(_, end)| *end <= cipher.acked).count() as u64;
        let transmitted = self.bytes.iter().take_while(|(begin, _)| *begin < cipher.transmitted).count() as u64;
        Standing { acked, transmitted }
    }
}
