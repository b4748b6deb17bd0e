import { oneLine } from '../../domain/text.ts';
import type { PlannedStep } from '../steps.ts';
import type { Item } from './spec.ts';

const PLACE = /\{\{\s*item\s*\}\}/;
const PLACES = new RegExp(PLACE, 'g');

/** The step for one item: its text stands where the task says `{{item}}`, else at the end; a processor gets it as an option. */
export const withItem = (step: PlannedStep, item: Item): PlannedStep => {
  const parts = (step.parts ?? 1) * (item.parts ?? 1);
  return {
    ...step,
    title: oneLine(
      step.title.replace(PLACES, () => item.title),
      60,
    ),
    task: PLACE.test(step.task)
      ? step.task.replace(PLACES, () => item.text)
      : `${step.task}\n\nThis is about: ${item.text}`,
    ...(parts === 1 ? {} : { parts }),
    ...(step.work?.kind === 'compute'
      ? { work: { ...step.work, options: { item: item.text, ...step.work.options } } }
      : {}),
  };
};
