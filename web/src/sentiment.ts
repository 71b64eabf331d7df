// The three labels, and what the service says about a text.
import type { BatchItem, Problem } from "../../client/typescript/index.d.ts";

export type { Problem };
export type Label = "positive" | "neutral" | "negative";
export const LABELS: readonly Label[] = ["positive", "neutral", "negative"];
/** Not by colour alone: each label has its sign. */
export const SIGNS: Record<Label, string> = { positive: "＋", neutral: "○", negative: "－" };

export interface Answer {
  label: Label;
  confidence: number;
  /** Probability of the positive class, 0..1. */
  positive: number;
  truncated: boolean;
}

/** The fields that a batch item and a line of a stream share. */
export type WireAnswer = Omit<BatchItem, "text">;

export function toAnswer(wire: WireAnswer): Answer | Problem {
  if (wire.error) return wire.error;
  return {
    label: wire.english_label!.toLowerCase() as Label,
    confidence: wire.confidence!,
    positive: wire.probabilities!.positive,
    truncated: wire.truncated ?? false,
  };
}

export const isProblem = (value: Answer | Problem): value is Problem => "code" in value;
