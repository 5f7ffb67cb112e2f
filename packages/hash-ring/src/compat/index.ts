export { type NginxOptions, nginxHash } from './nginx.ts';
export type { SystemNode } from './system-node.ts';
