"""Expert iteration: which samples are kept, distillation, and the rounds of both."""
