//! The scenarios of the parity tests on adopted classes.

/// Makes one test of each scenario, on GIO's class.
macro_rules! on_both {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[test]
            fn on_adopted() {
                crate::support::on_private_context(|context| {
                    gsock::adopt_gio().expect("it can be done");
                    super::$scenario(crate::under::Side::Gio, context);
                });
            }
        }
    )+};
}
