import { UserError } from './errors.ts';

/** Something that waits for a person's word before it happens. */
export interface Approval {
  readonly id: string;
  /** What would happen, as a question for the person. */
  readonly question: string;
  /** Where else it can be answered, in words: "the Skills view, or coppice skill trust NAME". */
  readonly where: string;
}

/** Thrown instead of doing something that a person must allow first. Faces that cannot ask tell where it waits. */
export class ApprovalNeeded extends UserError {
  readonly approval: Approval;
  constructor(approval: Approval) {
    super('permission-denied', `${approval.question} This waits for a person's answer: ${approval.where}.`);
    this.approval = approval;
  }
}
