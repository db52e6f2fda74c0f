-- What was changed a moment ago, by whichever process: asked whenever a step ends.
CREATE INDEX plan_steps_ended ON plan_steps (ended) WHERE ended > 0;
