// Imported before a program, this gives it Express 4 where it imports `express`.
import { register } from 'node:module';

const hook = `export const resolve = (name, context, next) => next(name === 'express' ? 'express4' : name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
