// What vite.config.ts makes of events/types.def.
declare module '*/types.def' {
  const table: { type: string; category: string }[];
  export default table;
}
