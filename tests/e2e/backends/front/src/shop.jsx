// Makes the calls, one after the other as a user would, and shows what each let the page see.
import { useEffect, useRef, useState } from "react";
import { CALLS } from "./calls.js";

export function Shop() {
  const [rows, setRows] = useState([]);
  const begun = useRef(false);
  useEffect(() => {
    // An effect may run twice; a login must not.
    if (begun.current) return;
    begun.current = true;
    const memory = {};
    const perform = async () => {
      for (const { id, call } of CALLS) {
        const said = await call(memory);
        setRows((before) => [...before, { id, said }]);
      }
    };
    perform();
  }, []);
  return (
    <table data-done={rows.length === CALLS.length}>
      <tbody>
        {rows.map(({ id, said }) => (
          <tr key={id}>
            <th>{id}</th>
            <td>{said}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
